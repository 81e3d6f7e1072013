-- One row if the schema is there, with the function if that is there too.
SELECT pg_catalog.pg_get_userbyid(n.nspowner) AS schema_owner, s.rolsuper AS schema_owner_superuser,
       ARRAY(SELECT coalesce(g.rolname::text, 'PUBLIC')
             FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
             WHERE a.grantee <> n.nspowner ORDER BY 1) AS schema_grantees,
       p.prosrc AS source, p.proconfig AS config, pg_catalog.pg_get_function_result(p.oid) AS result,
       p.prosecdef AS security_definer, o.rolsuper AS owner_superuser,
       ARRAY(SELECT coalesce(g.rolname::text, 'PUBLIC')
             FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
             WHERE a.grantee <> p.proowner ORDER BY 1) AS grantees
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_roles s ON s.oid = n.nspowner
LEFT JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname = 'get_auth'
     AND p.proargtypes = '25'::pg_catalog.oidvector
LEFT JOIN pg_catalog.pg_roles o ON o.oid = p.proowner
WHERE n.nspname = %(schema)s
