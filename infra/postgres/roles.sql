-- The catalog's users, made once by the server's administrator in the catalog's own, new database:
--   owner   makes and changes tables (AdminApi's command migrate), and is used for nothing else
--   api     AdminApi: rows of all tables; adds to the audit log, and cannot change it
--   worker  Ingestion, Training, Evaluation: rows of all tables but the keys and the audit log
-- What api and worker may do with tables is granted by migrate, which knows the tables.
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE :"api" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'api_password';
CREATE ROLE :"worker" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'worker_password';
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO :"owner";
GRANT CONNECT ON DATABASE :"DBNAME" TO :"api", :"worker";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"api", :"worker";
