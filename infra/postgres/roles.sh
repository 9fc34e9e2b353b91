#!/usr/bin/env bash
# Run by the image of PostgreSQL when its data folder is new: creates the users of roles.sql.
set -euo pipefail
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set owner=distributed_owner --set owner_password="${CATALOG_OWNER_PASSWORD:?}" \
  --set api=distributed_api --set api_password="${CATALOG_API_PASSWORD:?}" \
  --set worker=distributed_worker --set worker_password="${CATALOG_WORKER_PASSWORD:?}" \
  --file /infra/roles.sql
