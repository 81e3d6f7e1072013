SELECT pg_catalog.pg_is_in_recovery() AS standby, pg_catalog.current_setting('server_version') AS version,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'config_file') AS config_file,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'hba_file') AS hba_file,
       IDENTIFIER AS identifier,
       ARRAY(SELECT DISTINCT coalesce(nullif(application_name, ''), 'standby') || coalesce(' at ' || host(client_addr), '')
             FROM pg_catalog.pg_stat_replication WHERE application_name <> 'pg_basebackup') AS standbys
