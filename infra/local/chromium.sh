#!/usr/bin/env bash
# Finds Chromium for the browser tests, installs it if it may, and prints
#   export DISTRIBUTED_TEST_CHROMIUM=PATH
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

find_chromium() {
  local name
  for name in "${DISTRIBUTED_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    # Answers --version: Ubuntu's package of this name may be a stub that only points to a snap.
    if [[ -n $name ]] && command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  return 1
}

if ! path=$(find_chromium); then
  "$here/packages.sh" chromium
  if ! path=$(find_chromium); then
    echo "error: no working Chromium or Chrome was found, and installing the package did not bring one" >&2
    exit 1
  fi
fi
printf 'export DISTRIBUTED_TEST_CHROMIUM=%q\n' "$path"
