-- Every role; `usable` says whether who asks has its privileges. AUTHID is pg_authid where that may be read.
SELECT r.rolname AS name, a.rolpassword AS verifier, r.rolconnlimit AS connection_limit, r.rolcanlogin AS can_login,
       r.rolsuper AS superuser, pg_catalog.pg_has_role(r.oid, 'USAGE') AS usable,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS member_of
FROM pg_catalog.pg_roles r JOIN AUTHID a ON a.oid = r.oid
