SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datistemplate AS template,
       (SELECT count(*)::int FROM pg_catalog.pg_stat_activity s WHERE s.datid = d.oid) AS sessions
FROM pg_catalog.pg_database d
