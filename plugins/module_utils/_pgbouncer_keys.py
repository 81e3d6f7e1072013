# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every setting PgBouncer's configuration file knows, by section and version.

Private to this collection.
"""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """What PgBouncer does with one key."""

    # bool: 0 or 1; int: a number below 2^31; duration: seconds with decimals; mode: a file mode;
    # enum: one of values; list: texts joined by commas; string: text on one line.
    type: str
    # The first version that accepts the key. An unknown key is fatal at start, and a reload stops at it.
    since: str
    # The first version that does not accept it any more.
    removed: str = ""
    # What a bare number of an int counts: seconds, milliseconds or bytes.
    unit: str = ""
    values: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 2147483647
    invalid: tuple[str, ...] = ()
    # False: a reload ignores a changed value without a word; only a restart applies it.
    reloadable: bool = True
    # True: there is no built-in default, so a reload after the line's removal keeps the old value.
    sticky_on_removal: bool = False
    # True: the value contains a credential and never stands in a message.
    secret: bool = False
    # The name of the same setting before it was renamed in version since.
    formerly: str = ""
    # What an error message adds.
    note: str = ""


# The version that brought a value of an enum later than the key itself.
VALUE_SINCE = {("auth_type", "ldap"): "1.25.0"}

_AUTH_TYPES = ("any", "trust", "plain", "md5", "cert", "hba", "pam", "scram-sha-256", "ldap")
_POOL_MODES = ("session", "transaction", "statement")
_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_ZERO = "0 means a single connection before PgBouncer 1.24 and no limit from 1.24 on"

PGBOUNCER: dict[str, Key] = {
    "admin_users": Key("list", since="1.0"),
    "application_name_add_host": Key("bool", since="1.6"),
    "auth_dbname": Key("string", since="1.19.0", invalid=("pgbouncer",), sticky_on_removal=True),
    "auth_file": Key("string", since="1.0", sticky_on_removal=True),
    "auth_hba_file": Key("string", since="1.7"),
    "auth_ident_file": Key("string", since="1.23.0", sticky_on_removal=True),
    "auth_ldap_options": Key("string", since="1.25.0", sticky_on_removal=True, secret=True),
    "auth_query": Key("string", since="1.6"),
    "auth_type": Key("enum", since="1.4", values=_AUTH_TYPES),
    "auth_user": Key("string", since="1.8", sticky_on_removal=True),
    "autodb_idle_timeout": Key("duration", since="1.3.1"),
    "cancel_wait_timeout": Key("duration", since="1.19.0"),
    "client_idle_timeout": Key("duration", since="1.0"),
    "client_login_timeout": Key("duration", since="1.0.3"),
    "client_tls13_ciphers": Key("string", since="1.25.0", sticky_on_removal=True),
    "client_tls_ca_file": Key("string", since="1.7"),
    "client_tls_cert_file": Key("string", since="1.7"),
    "client_tls_ciphers": Key("string", since="1.7"),
    "client_tls_dheparams": Key("string", since="1.7"),
    "client_tls_ecdhcurve": Key("string", since="1.7"),
    "client_tls_key_file": Key("string", since="1.7"),
    "client_tls_protocols": Key("list", since="1.7"),
    "client_tls_sslmode": Key("enum", since="1.7", values=_SSLMODES),
    "conffile": Key("string", since="1.0", sticky_on_removal=True),
    "default_pool_size": Key("int", since="1.0", minimum=1, note=_ZERO),
    "disable_pqexec": Key("bool", since="1.4", reloadable=False),
    "dns_max_ttl": Key("duration", since="1.4"),
    "dns_nxdomain_ttl": Key("duration", since="1.6"),
    "dns_zone_check_period": Key("duration", since="1.5"),
    "idle_transaction_timeout": Key("duration", since="1.5"),
    "ignore_startup_parameters": Key("list", since="1.2"),
    "job_name": Key("string", since="1.0", reloadable=False),
    "listen_addr": Key("list", since="1.0", reloadable=False),
    "listen_backlog": Key("int", since="1.3.3", reloadable=False),
    "listen_port": Key("int", since="1.0", minimum=1, maximum=65535, reloadable=False),
    "log_connections": Key("bool", since="1.0.3"),
    "log_disconnections": Key("bool", since="1.0.3"),
    "log_pooler_errors": Key("bool", since="1.0.3"),
    "log_stats": Key("bool", since="1.11.0"),
    "logfile": Key("string", since="1.0"),
    "login_notify_message": Key("string", since="1.26.0"),
    "max_client_conn": Key("int", since="1.0", minimum=1),
    "max_db_client_connections": Key("int", since="1.24.0"),
    "max_db_connections": Key("int", since="1.6"),
    "max_packet_size": Key("int", since="1.5.3", unit="bytes"),
    "max_prepared_statements": Key("int", since="1.21.0"),
    "max_user_client_connections": Key("int", since="1.24.0"),
    "max_user_connections": Key("int", since="1.6"),
    "min_pool_size": Key("int", since="1.5"),
    "peer_id": Key("int", since="1.19.0", maximum=16383),
    "pidfile": Key("string", since="1.0", reloadable=False),
    "pkt_buf": Key("int", since="1.0", unit="bytes", minimum=1, reloadable=False),
    "pool_idle_timeout": Key("duration", since="1.26.0"),
    "pool_mode": Key("enum", since="1.4", values=_POOL_MODES),
    "query_timeout": Key("duration", since="1.0"),
    "query_wait_notify": Key("int", since="1.25.0", unit="seconds"),
    "query_wait_timeout": Key("duration", since="1.3.2"),
    "reserve_pool_size": Key("int", since="1.3.1"),
    "reserve_pool_timeout": Key("duration", since="1.3.1"),
    "resolv_conf": Key("string", since="1.12.0", reloadable=False),
    "sbuf_loopcnt": Key("int", since="1.3.1"),
    "scram_iterations": Key("int", since="1.25.0", minimum=1),
    "server_check_delay": Key("duration", since="1.0"),
    "server_check_query": Key("string", since="1.0"),
    "server_connect_timeout": Key("duration", since="1.0"),
    "server_fast_close": Key("bool", since="1.9.0"),
    "server_idle_timeout": Key("duration", since="1.0"),
    "server_lifetime": Key("duration", since="1.0"),
    "server_login_retry": Key("duration", since="1.0"),
    "server_reset_query": Key("string", since="1.1"),
    "server_reset_query_always": Key("bool", since="1.6.1"),
    "server_round_robin": Key("bool", since="1.1"),
    "server_tls13_ciphers": Key("string", since="1.25.0", sticky_on_removal=True),
    "server_tls_ca_file": Key("string", since="1.7"),
    "server_tls_cert_file": Key("string", since="1.7"),
    "server_tls_ciphers": Key("string", since="1.7"),
    "server_tls_key_file": Key("string", since="1.7"),
    "server_tls_protocols": Key("list", since="1.7"),
    "server_tls_sslmode": Key("enum", since="1.7", values=_SSLMODES),
    "so_reuseport": Key("bool", since="1.12.0", reloadable=False),
    "stats_period": Key("int", since="1.0", unit="seconds", minimum=1),
    "stats_users": Key("list", since="1.0"),
    "suspend_timeout": Key("duration", since="1.2", removed="1.26.0"),
    "syslog": Key("bool", since="1.2"),
    "syslog_facility": Key("string", since="1.2"),
    "syslog_ident": Key("string", since="1.4"),
    "tcp_defer_accept": Key("int", since="1.0", unit="seconds"),
    "tcp_keepalive": Key("bool", since="1.0"),
    "tcp_keepcnt": Key("int", since="1.0"),
    "tcp_keepidle": Key("int", since="1.0", unit="seconds"),
    "tcp_keepintvl": Key("int", since="1.0", unit="seconds"),
    "tcp_socket_buffer": Key("int", since="1.0", unit="bytes"),
    "tcp_user_timeout": Key("int", since="1.13.0", unit="milliseconds"),
    "track_extra_parameters": Key("list", since="1.20.0", reloadable=False),
    "transaction_timeout": Key("duration", since="1.25.0"),
    "unix_socket_dir": Key("string", since="1.0", reloadable=False),
    "unix_socket_group": Key("string", since="1.5.1", reloadable=False),
    "unix_socket_mode": Key("mode", since="1.5.1", reloadable=False),
    "user": Key("string", since="1.2", reloadable=False),
    "verbose": Key("int", since="1.0", sticky_on_removal=True),
}
DATABASES: dict[str, Key] = {
    "application_name": Key("string", since="1.4"),
    "auth_dbname": Key("string", since="1.19.0", invalid=("pgbouncer",)),
    "auth_query": Key("string", since="1.22.0"),
    "auth_user": Key("string", since="1.6"),
    "client_encoding": Key("string", since="1.0"),
    "connect_query": Key("string", since="1.2"),
    "datestyle": Key("string", since="1.0"),
    "dbname": Key("string", since="1.0"),
    "host": Key("list", since="1.0"),
    "load_balance_hosts": Key("enum", since="1.24.0", values=("round-robin", "disable")),
    "max_db_client_connections": Key("int", since="1.24.0"),
    "max_db_connections": Key("int", since="1.6"),
    "min_pool_size": Key("int", since="1.16.0"),
    "password": Key("string", since="1.0", secret=True),
    "pool_mode": Key("enum", since="1.6", values=_POOL_MODES),
    "pool_size": Key("int", since="1.0", minimum=1, note=_ZERO),
    "port": Key("int", since="1.0", minimum=1, maximum=65535),
    "query_wait_timeout": Key("int", since="1.26.0", unit="seconds"),
    "reserve_pool": Key("int", since="1.3.1"),
    "reserve_pool_size": Key("int", since="1.24.0", formerly="reserve_pool"),
    "server_lifetime": Key("int", since="1.23.0", unit="seconds"),
    "timezone": Key("string", since="1.1"),
    "user": Key("string", since="1.0"),
}
USERS: dict[str, Key] = {
    "client_idle_timeout": Key("int", since="1.24.0", unit="seconds"),
    "idle_transaction_timeout": Key("int", since="1.24.0", unit="seconds"),
    "max_user_client_connections": Key("int", since="1.24.0"),
    "max_user_connections": Key("int", since="1.6"),
    "pool_mode": Key("enum", since="1.6", values=_POOL_MODES),
    "pool_size": Key("int", since="1.23.0", minimum=1, note=_ZERO),
    "query_timeout": Key("int", since="1.24.0", unit="seconds"),
    "query_wait_timeout": Key("int", since="1.26.0", unit="seconds"),
    "reserve_pool_size": Key("int", since="1.24.0"),
    "transaction_timeout": Key("int", since="1.25.0", unit="seconds"),
}
PEERS: dict[str, Key] = {
    "host": Key("string", since="1.19.0"),
    "pool_size": Key("int", since="1.19.0", minimum=1, note=_ZERO),
    "port": Key("int", since="1.19.0", minimum=1, maximum=65535),
}

__all__ = ("DATABASES", "PEERS", "PGBOUNCER", "USERS", "VALUE_SINCE", "Key")
