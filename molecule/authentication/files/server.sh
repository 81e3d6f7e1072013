# TLS, rules and roles of the server; as somebody else set it up.
cluster=$(echo /etc/postgresql/*/main)
cat >"$cluster/conf.d/scenario.conf" <<'END'
ssl = on
ssl_cert_file = '/etc/postgresql/tls/server.crt'
ssl_key_file = '/etc/postgresql/tls/server.key'
ssl_ca_file = '/etc/postgresql/tls/first-ca.crt'
END
cat >"$cluster/pg_hba.conf" <<'END'
local all postgres peer
hostssl all dora all cert map=poolers
hostssl all all all md5
END
echo 'poolers "by certificate" dora' >"$cluster/pg_ident.conf"
systemctl restart "postgresql@$(basename "$(dirname "$cluster")")-main"
cd / && exec runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -f /usr/local/lib/pooling-authentication/server.sql
