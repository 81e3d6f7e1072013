-- Who holds slots of max_connections now, but for who asks; walsenders hold none. `reserved` is who may use
-- reserved_connections (PostgreSQL 16 and newer).
SELECT a.usename AS role, coalesce(a.application_name, '') AS application, r.rolsuper AS superuser,
       NOT r.rolsuper AND EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'pg_use_reserved_connections'
                                  AND pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE')) AS reserved,
       count(*)::int AS count
FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid()
GROUP BY 1, 2, 3, 4
