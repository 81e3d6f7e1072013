-- What each named role lacks of the privileges on what is in schema public, and what it will get on what is made later.
SELECT r.rolname AS role,
       EXISTS (SELECT FROM pg_catalog.pg_database d, aclexplode(d.datacl) a
               WHERE d.datname = current_database() AND a.grantee = r.oid AND a.privilege_type = 'CONNECT') AS connects,
       coalesce(has_schema_privilege(r.oid, n.oid, 'USAGE'), false) AS uses,
       json_build_object(
           'TABLES', (SELECT json_object_agg(p, (SELECT count(*) FROM pg_catalog.pg_class c
                                                 WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                                                   AND NOT has_table_privilege(r.oid, c.oid, p)))
                      FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p),
           'SEQUENCES', (SELECT json_object_agg(p, (SELECT count(*) FROM pg_catalog.pg_class c
                                                    WHERE c.relnamespace = n.oid
                                                      AND CASE c.relkind WHEN 'S' -- anything else is an error
                                                          THEN NOT has_sequence_privilege(r.oid, c.oid, p) END))
                         FROM unnest(ARRAY['SELECT', 'USAGE']) p)) AS missing,
       ARRAY(SELECT d.defaclobjtype::text || ':' || a.privilege_type
             FROM pg_catalog.pg_default_acl d, aclexplode(d.defaclacl) a
             WHERE d.defaclnamespace = n.oid AND d.defaclrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(owner)s)
               AND a.grantee = r.oid) AS defaults
FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'public'
WHERE r.rolname IN (SELECT json_array_elements_text(%(roles)s::json))
