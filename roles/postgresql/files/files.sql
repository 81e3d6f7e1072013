-- This role's settings and the client authentication rules as their files have them, how many of the settings count, whether
-- a run that was killed has left copies, and whether the server has yet to read them or to restart for them, or refuses them.
-- As bytes, because a comment need not be in the database's encoding.
SELECT encode(pg_catalog.pg_read_binary_file(f.settings, 0, 10000000, true), 'base64') AS settings,
       encode(pg_catalog.pg_read_binary_file(f.rules, 0, 10000000, true), 'base64') AS rules,
       (SELECT count(*)::int FROM pg_catalog.pg_file_settings WHERE sourcefile = f.settings AND applied) AS counting,
       pg_catalog.pg_stat_file(f.settings || f.previous, true) IS NOT NULL
       OR pg_catalog.pg_stat_file(f.rules || f.previous, true) IS NOT NULL AS unfinished,
       EXISTS (SELECT FROM unnest(ARRAY[f.settings, f.rules]) AS name, pg_catalog.pg_stat_file(name, true) AS s
               -- whole seconds, so that one written in the second of the last reload may count as unread
               WHERE s.modification >= date_trunc('second', pg_catalog.pg_conf_load_time()))
       OR EXISTS (SELECT FROM pg_catalog.pg_settings WHERE pending_restart)
       OR EXISTS (SELECT FROM pg_catalog.pg_file_settings WHERE error IS NOT NULL)
       OR EXISTS (SELECT FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL) AS waiting
FROM (SELECT regexp_replace(current_setting('config_file'), '[^/]*$', 'SETTINGS') AS settings,
             current_setting('hba_file') AS rules, 'PREVIOUS'::text AS previous) f
