-- What depends on each role: objects that it owns, and grants to it. A database that it owns counts as of that database.
SELECT r.rolname AS role, coalesce(d.datname, o.datname, '') AS database,
       count(*) FILTER (WHERE s.deptype = 'o')::int AS owned
FROM pg_catalog.pg_shdepend s
JOIN pg_catalog.pg_roles r ON s.refclassid = 'pg_catalog.pg_authid'::regclass AND r.oid = s.refobjid
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
LEFT JOIN pg_catalog.pg_database o ON s.classid = 'pg_catalog.pg_database'::regclass AND o.oid = s.objid
GROUP BY 1, 2
