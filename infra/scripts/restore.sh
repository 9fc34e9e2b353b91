#!/usr/bin/env bash
# restore.sh BACKUP VOLUME: restores what backup.sh wrote, into an empty database (PGHOST, PGPORT, PGUSER, PGPASSWORD
# and PGDATABASE name it, PGUSER is to own the tables) and an empty folder VOLUME. No host may run on them.
#
# Afterwards: AdminApi's command migrate, which grants the hosts' users what they need; then start the hosts.
set -euo pipefail

(($# == 2)) || { echo "usage: restore.sh BACKUP VOLUME" >&2; exit 2; }
backup=$1 volume=$2
(cd "$backup" && sha256sum --check --quiet SHA256SUMS) || { printf 'error: the backup %s is damaged or not whole\n' "$backup" >&2; exit 1; }
# A server that has just been started is waited for.
for ((attempt = 0; attempt < 60; attempt++)); do
  ! pg_isready --quiet || break
  sleep 1
done
mkdir -p "$volume"
[[ -z $(ls -A "$volume") ]] || { printf 'error: the volume %s is not empty\n' "$volume" >&2; exit 1; }
tables=$(psql --no-psqlrc --tuples-only --no-align --command "select count(*) from information_schema.tables where table_schema = 'public'")
((tables == 0)) || { printf 'error: the database holds %s tables; give an empty one\n' "$tables" >&2; exit 1; }

# The files first, so that no catalog ever names what is not there yet.
tar --extract --file="$backup/volume.tar" --directory="$volume"
# The schema is there in every database; the dump would make it again.
list=$(mktemp)
trap 'rm -f "$list"' EXIT
pg_restore --list "$backup/catalog.dump" | grep -v ' SCHEMA - public ' >"$list"
pg_restore --single-transaction --exit-on-error --no-owner --no-acl --use-list="$list" --dbname="${PGDATABASE:?}" "$backup/catalog.dump"
printf 'catalog and volume restored; next: migrate, then start the hosts\n' >&2
