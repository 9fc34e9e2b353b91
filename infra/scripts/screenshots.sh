#!/usr/bin/env bash
# Draws the pages of the dashboard from a server with a sample run.
#
#   screenshots.sh          renews docs/images/dashboard.png
#   screenshots.sh FOLDER   every page, in light and dark, at 1400 and 390 pixels
#
# Needs Chromium, see infra/local/chromium.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
(($# <= 1)) || { echo "usage: screenshots.sh [FOLDER]" >&2; exit 2; }
exports=$("$root/infra/local/chromium.sh")
eval "$exports"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=${1:-$work}
mkdir -p "$folder"
DISTRIBUTED_TEST_PICTURES=$(cd "$folder" && pwd)
export DISTRIBUTED_TEST_PICTURES
for project in services/Standalone tests/Browser.Tests; do
  dotnet build --configuration Release --verbosity quiet "$root/$project"
done
dotnet "$root/tests/Browser.Tests/bin/Release/net10.0/Distributed.Browser.Tests.dll" -class '*LookTests'
if (($# == 0)); then
  cp "$folder/dashboard.png" "$root/docs/images/dashboard.png"
  echo "$root/docs/images/dashboard.png"
fi
