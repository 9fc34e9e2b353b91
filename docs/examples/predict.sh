#!/usr/bin/env bash
# Asks a server for the classes of an image:
#   predict.sh http://127.0.0.1:8080 flowers@champion rose.jpg
# The key, where the server wants one, is in the variable KEY.
set -euo pipefail
server=$1 model=$2 image=$3
curl --fail-with-body --silent --show-error ${KEY:+--header "Authorization: Bearer $KEY"} \
  --header 'Content-Type: application/octet-stream' --data-binary "@$image" \
  "$server/api/v1/models/$model/predict?top=3"
