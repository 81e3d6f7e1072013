SELECT n.oid IS NOT NULL AS has_public,
       EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
               WHERE a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY')) AS public_connects,
       coalesce((SELECT bool_or(a.grantee = 0 AND a.privilege_type = 'CREATE')
                 FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a), false) AS public_creates,
       coalesce((SELECT has_schema_privilege(r.oid, n.oid, 'CREATE')
                 FROM pg_catalog.pg_roles r WHERE r.rolname = %(owner)s), false) AS owner_creates,
       coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s
                 WHERE s.setdatabase = d.oid AND s.setrole = 0), '{}') AS settings
FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'public'
WHERE d.datname = current_database()
