-- md5 takes SCRAM verifiers too; each role has what its name says
SET password_encryption = 'scram-sha-256';
CREATE DATABASE app;
CREATE ROLE scram LOGIN PASSWORD 'right';
CREATE ROLE "o""brien 'x' ü; #%" LOGIN PASSWORD E'p"a''ss \\ wörd; #%,$1';
CREATE ROLE plain LOGIN PASSWORD 'right';
CREATE ROLE boss LOGIN PASSWORD 'boss''s "own"';
CREATE ROLE leaver LOGIN PASSWORD 'right';
CREATE ROLE carla LOGIN PASSWORD 'right';
CREATE ROLE dora LOGIN;
CREATE ROLE looked_up LOGIN PASSWORD 'right';
CREATE ROLE expired LOGIN PASSWORD 'right' VALID UNTIL '2020-01-01';
CREATE ROLE big LOGIN SUPERUSER PASSWORD 'right';
CREATE ROLE refused LOGIN PASSWORD 'right';
CREATE ROLE auth_query LOGIN PASSWORD 'auth "query"';
SET password_encryption = 'md5';
CREATE ROLE md5 LOGIN PASSWORD 'right';
\c app
CREATE SCHEMA pgbouncer;
CREATE FUNCTION pgbouncer.get_auth(p text) RETURNS TABLE (usename name, passwd text) LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
    SELECT rolname, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid
    WHERE rolname = $1 AND rolcanlogin AND NOT rolsuper AND NOT rolreplication $$;
REVOKE ALL ON FUNCTION pgbouncer.get_auth(text) FROM public;
GRANT USAGE ON SCHEMA pgbouncer TO auth_query;
GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(text) TO auth_query;
