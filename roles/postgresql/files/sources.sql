-- Which file each setting is taken from: ALTER SYSTEM or a line further down counts more than the file of this role.
SELECT DISTINCT ON (s.name) s.name, coalesce(f.sourcefile, '') AS sourcefile,
       CASE WHEN f.name IS NULL
            THEN format('%s is read from no file; include conf.d in postgresql.conf (include_dir)', s.name)
            ELSE format('%s:%s sets %s, which counts more than postgresql_settings; remove it there (ALTER SYSTEM RESET %s)',
                        f.sourcefile, f.sourceline, s.name, s.name) END AS problem
FROM pg_catalog.pg_settings s LEFT JOIN pg_catalog.pg_file_settings f ON lower(f.name) = lower(s.name)
ORDER BY s.name, f.seqno DESC
