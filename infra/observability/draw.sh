#!/usr/bin/env bash
# Draws the dashboards from a Prometheus, one picture each, without Grafana: for a report, or where no Grafana can be had.
#
#   draw.sh PROMETHEUS_URL OUT_DIR [MINUTES [SCRAPE_SECONDS]]
#
# MINUTES until now are drawn (180, as Grafana opens them); SCRAPE_SECONDS is the interval at which that Prometheus scrapes (15).
# Needs Chromium, see infra/local/chromium.sh.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# < 2 || $# > 4)); then
  echo "usage: draw.sh PROMETHEUS_URL OUT_DIR [MINUTES [SCRAPE_SECONDS]]" >&2
  exit 2
fi
url=${1%/} out=$2 minutes=${3:-180} scrape=${4:-15}
[[ $url =~ ^https?://[][A-Za-z0-9.:/_-]+$ && $minutes =~ ^[0-9]+$ && $scrape =~ ^[0-9]+$ ]] || { echo "error: not an address, or not a number" >&2; exit 2; }

exports=$("$here/../local/chromium.sh")
eval "$exports"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The second that is under way is in it.
end=$(($(date +%s) + 1))

for file in "$here"/grafana/dashboards/*.json; do
  name=$(basename "$file" .json)
  {
    printf '<!DOCTYPE html><meta charset="utf-8"><body><script>const settings = {url: "%s", end: %d, minutes: %d, scrape: %d};\nconst dashboard = ' \
      "$url" "$end" "$minutes" "$scrape"
    # No text in it can end the script.
    sed 's|</|<\\/|g' "$file"
    printf '</script><script>'
    cat "$here/draw.js"
    printf '</script>'
  } >"$work/$name.html"
  # As high as its lowest panel: 25 pixels a unit, and 70 for the heading.
  units=$(grep -o '"y": [0-9]*, "w": [0-9]*, "h": [0-9]*' "$file" | tr -d ',' | awk '{ if ($2 + $6 > most) most = $2 + $6 } END { print most }')
  sandbox=()
  ((EUID != 0)) || sandbox=(--no-sandbox)
  "$DISTRIBUTED_TEST_CHROMIUM" --headless "${sandbox[@]}" --disable-gpu --disable-lcd-text --hide-scrollbars --user-data-dir="$work/profile" \
    --window-size="1096,$((units * 25 + 70))" --screenshot="$work/$name.png" "file://$work/$name.html" >"$work/log" 2>&1 || true
  [[ -s $work/$name.png ]] || { cat "$work/log" >&2; echo "error: $name could not be drawn" >&2; exit 1; }
  mv "$work/$name.png" "$out/$name.png"
  echo "$out/$name.png"
done
