SELECT name, setting, unit, context, vartype, min_val, max_val, enumvals FROM pg_catalog.pg_settings
