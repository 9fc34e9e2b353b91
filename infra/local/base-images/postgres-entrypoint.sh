#!/usr/bin/env bash
# Makes a new database where the data folder is empty, as the official image's variables say; then becomes the server.
set -euo pipefail
umask 077

if [[ ! -e $PGDATA/PG_VERSION ]]; then
  : "${POSTGRES_PASSWORD:?}" "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  # Over its socket alone, so that nobody takes it for the server that is waited for.
  pg_ctl --wait --options="-c listen_addresses=''" start
  [[ $POSTGRES_DB == postgres ]] || createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
  export POSTGRES_USER POSTGRES_DB
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [[ ! -e $script ]] || bash "$script"
  done
  pg_ctl --wait --mode=fast stop
fi
exec "$@" -c 'listen_addresses=*'
