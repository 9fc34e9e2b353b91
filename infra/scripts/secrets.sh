#!/usr/bin/env bash
# secrets.sh [FILE]: writes FILE (default .env at the root of the repository) from .env.example, with a random
# password for every user of database and broker. An existing file stays as it is: servers keep the passwords
# that they were started with first. Makes the folder of images, data, where there is none.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
file=${1:-$root/.env}
[[ ! -e $file ]] || { printf 'error: %s exists; remove it first if nothing was started with it yet\n' "$file" >&2; exit 1; }

umask 077
# Letters and digits only, as they become part of connection strings and URIs.
while IFS= read -r line; do
  if [[ $line =~ ^([A-Z_]+_PASSWORD)=$ ]]; then
    line="${BASH_REMATCH[1]}=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
  fi
  printf '%s\n' "$line"
done <"$root/.env.example" >"$file.partial"
mv "$file.partial" "$file"

# Docker would make the folder of images as root's; the services' user must be able to read it.
mkdir -p "$root/data"
chmod a+rx "$root/data"
