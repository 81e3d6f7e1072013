SELECT pg_catalog.pg_is_in_recovery() AS standby, pg_catalog.current_setting('server_version') AS version,
       pg_catalog.current_setting('config_file', true) AS config_file, pg_catalog.current_setting('hba_file', true) AS hba_file,
       IDENTIFIER AS identifier,
       ARRAY(SELECT DISTINCT coalesce(nullif(application_name, ''), 'standby') || coalesce(' at ' || host(client_addr), '')
             FROM pg_catalog.pg_stat_replication WHERE application_name <> 'pg_basebackup') AS standbys
