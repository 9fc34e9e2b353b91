#!/usr/bin/env bash
# Asks a server for the classes of an image:
#   predict.sh http://127.0.0.1:8080 flowers@champion rose.jpg
# The key, where the server wants one, is in the variable KEY.
set -euo pipefail
if [[ $# -ne 3 || ! -r $3 ]]; then
  echo "usage: predict.sh SERVER MODEL IMAGE, where IMAGE is a file that can be read" >&2
  exit 2
fi
# 429 and 503: the server has too much to do, and says when to come again, which curl obeys.
curl --fail-with-body --silent --show-error --retry 5 ${KEY:+--header "Authorization: Bearer $KEY"} \
  --header 'Content-Type: application/octet-stream' --data-binary "@$3" \
  "$1/api/v1/models/$2/predict?top=3"
