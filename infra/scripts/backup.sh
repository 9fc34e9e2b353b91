#!/usr/bin/env bash
# backup.sh TARGET VOLUME: writes a backup of the catalog and the volume to the new folder TARGET, while the
# system runs. The catalog is the database that PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE name.
#
# The catalog first, the volume after it: files are added and never changed, so the volume then holds all that the
# catalog names. TARGET appears when it is whole.
set -euo pipefail

(($# == 2)) || { echo "usage: backup.sh TARGET VOLUME" >&2; exit 2; }
target=$1 volume=$2
[[ ! -e $target ]] || { printf 'error: %s exists; name a new folder\n' "$target" >&2; exit 1; }
[[ -d $volume ]] || { printf 'error: there is no volume %s\n' "$volume" >&2; exit 1; }

# A server that has just been started is waited for.
for ((attempt = 0; attempt < 60; attempt++)); do
  ! pg_isready --quiet || break
  sleep 1
done
umask 077
work=$(mktemp -d "$target.XXXXXX.partial")
trap 'rm -rf "$work"' EXIT
pg_dump --format=custom --no-owner --no-acl --file="$work/catalog.dump"
# 1 says that a file came or went meanwhile, which the order above allows for.
tar --create --file="$work/volume.tar" --directory="$volume" --exclude='*.partial' . || (($? == 1))
(cd "$work" && sha256sum catalog.dump volume.tar >SHA256SUMS)
mv "$work" "$target"
trap - EXIT
printf 'backup of catalog and volume in %s\n' "$target" >&2
