#!/usr/bin/env bash
# healthcheck.sh PATH [PORT]: succeeds when a GET of PATH on this machine is answered with 200. For
# images without curl, by means of bash alone.
set -euo pipefail

path=$1
port=${2:-${ASPNETCORE_HTTP_PORTS%%;*}}

exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$path" >&3
read -r -t 4 _ status _ <&3
# To the end, as a connection closed earlier is an error to the server.
cat <&3 >/dev/null
[[ $status == 200 ]]
