#!/usr/bin/env bash
# Installs Debian or Ubuntu packages without letting them start any service:
#   packages.sh NAME...
# Does so only as root; otherwise it says in one line what to install, and fails.
set -euo pipefail

if (( $# == 0 )); then
  echo "usage: packages.sh NAME..." >&2
  exit 2
fi

if (( EUID != 0 )) || ! command -v apt-get >/dev/null; then
  echo "error: please install: $* (installed by itself only as root on Debian or Ubuntu)" >&2
  exit 1
fi

# One at a time: the policy file below is shared by all.
exec 9>/run/distributed-packages.lock
flock 9

# Debian starts a service when its package is installed, unless this file forbids it.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
stamp=/run/distributed-packages.updated
echo "installing $*" >&2
if [[ -z $(find "$stamp" -mmin -60 2>/dev/null) ]]; then
  apt-get -q update >&2 9>&-
  touch "$stamp"
fi
apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2 9>&-
