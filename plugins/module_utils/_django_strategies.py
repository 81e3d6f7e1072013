# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways Django can connect, as data: what is in between, who keeps connections, and why a setting is as it is.

Private to this collection. Sources: Django's documentation of DATABASES and its PostgreSQL backend (4.2 to 6.0),
PgBouncer's feature matrix, the providers' manuals.
"""

from __future__ import annotations

import dataclasses

# Newest last; what django_settings_version may be.
DJANGO_VERSIONS = ("4.2", "5.0", "5.1", "5.2", "6.0")
# OPTIONS['pool'] came with this one.
NATIVE_POOL_SINCE = "5.1"

# ENGINE as Django spells it -> the same with django-db-connection-pool.
ENGINES = {
    "django.db.backends.postgresql": "dj_db_conn_pool.backends.postgresql",
    "django.contrib.gis.db.backends.postgis": "dj_db_conn_pool.backends.postgis",
}

# What runs the code that uses an alias -> whether a thread lives longer than a request, so that keeping pays.
# Under ASGI every request has a thread of its own, with gevent a greenlet: what it keeps, nobody uses again.
INTERFACES = {"wsgi": True, "celery": True, "script": True, "asgi": False, "gevent": False}

# The alias that goes past the pooler is called like the pooled one, with this at the end.
DIRECT = "_direct"


@dataclasses.dataclass(frozen=True)
class Strategy:
    """One way to connect.

    `path` is what stands between Django and PostgreSQL, in words; `lends` how long it lends a server connection:
    session, transaction, statement, or nothing where there is no pooler. `keeper` keeps Django's end open: `thread`
    (CONN_MAX_AGE), `native_pool` (OPTIONS['pool']), `dj_db_conn_pool`, or nobody.
    """

    path: str
    lends: str = ""
    keeper: str = "thread"
    conn_max_age: int = 0
    # PgBouncer keeps prepared statements since 1.21 (max_prepared_statements); Supavisor does not
    prepares: bool = True
    # libpq options that this way needs
    options: tuple[tuple[str, str], ...] = ()
    # what a pooled HOST has in it, so that the direct one is not taken for it
    host_part: str = ""
    port: int = 0


PGBOUNCER = "PgBouncer in {} mode"
STRATEGIES = {
    "close_after_request": Strategy("PostgreSQL itself, a new connection for each request"),
    "conn_max_age": Strategy("PostgreSQL itself, a thread keeps its connection", conn_max_age=60),
    "native_pool": Strategy("PostgreSQL itself, Django's own pool in each process", keeper="native_pool"),
    "dj_db_conn_pool": Strategy(
        "PostgreSQL itself, django-db-connection-pool in each process", keeper="dj_db_conn_pool"
    ),
    "pgbouncer_transaction": Strategy(PGBOUNCER.format("transaction"), lends="transaction", conn_max_age=60),
    "pgbouncer_session": Strategy(PGBOUNCER.format("session"), lends="session", conn_max_age=60),
    "pgbouncer_statement": Strategy(PGBOUNCER.format("statement"), lends="statement", conn_max_age=60),
    "hybrid": Strategy(
        "Django's own pool in each process, in front of PgBouncer in transaction mode",
        lends="transaction",
        keeper="native_pool",
    ),
    "hybrid_session": Strategy(
        "Django's own pool in each process, in front of PgBouncer in session mode",
        lends="session",
        keeper="native_pool",
    ),
    "neon": Strategy(
        "Neon's pooler, PgBouncer in transaction mode",
        lends="transaction",
        conn_max_age=60,
        options=(("sslmode", "require"),),
        host_part="-pooler.",
    ),
    "supabase": Strategy(
        "Supabase's pooler in transaction mode",
        lends="transaction",
        conn_max_age=60,
        prepares=False,
        options=(("sslmode", "require"),),
        port=6543,
    ),
    "direct": Strategy("PostgreSQL itself, past the pooler"),
}

# What a pooler's way of lending takes away, for the file's reader.
ON_LOAN = {
    "transaction": (
        "A server connection is lent for one transaction. Right here: the ORM, atomic(), select_for_update(), "
        "SET LOCAL, pg_advisory_xact_lock(), NOTIFY."
    ),
    "statement": (
        "A server connection is lent for one statement, and a transaction is refused: no atomic(), no bulk_create(), "
        "get_or_create() or update_or_create(), no admin, no login with sessions in the database."
    ),
    "session": (
        "A server connection is lent for as long as Django stays connected, so that everything works here but the "
        "test database, which the pooler does not know."
    ),
    "": "Every connection is a session of its own: everything works here.",
}

# setting -> what it depends on -> the line above it; see _django.reason().
AGE = {
    "direct": "0: nothing stays connected past the pooler, where the plan has kept room for a few",
    "off": "0: closed after each request; this costs a login for each, and holds no connection in between",
    "short-lived": "0: threads do not outlive a request here (ASGI, gevent), nobody could use a kept connection",
    "native_pool": "0: the pool keeps connections; Django refuses to keep them twice",
    "dj_db_conn_pool": "0: the pool keeps connections; a thread that kept its own would never give it back",
    "": "seconds a thread keeps its connection: saves the login; each one kept is a backend of PostgreSQL's",
    "session": "seconds a thread keeps its connection: saves the login; in session mode it holds a backend all the time",
    "transaction": "seconds a thread keeps its connection to the pooler: saves the login, holds no backend of PostgreSQL's",
    "statement": "seconds a thread keeps its connection to the pooler: saves the login, holds no backend of PostgreSQL's",
    "forever": "None: kept until it breaks; each one kept is a backend of PostgreSQL's",
}
CURSORS = {
    "transaction": "True: iterator() would ask the next server connection for a cursor that the last one has",
    "statement": "True: iterator() needs a transaction for its cursor, and there is none",
}
HEALTH = {
    "thread": "a kept connection is tested once in a request that uses it: server or pooler may have been restarted",
    "native_pool": "the pool tests a connection before it lends it: server or pooler may have been restarted",
}
POOL = {
    "": "psycopg's pool, one in each process and shared by its threads: PostgreSQL sees up to max_size x processes",
    "session": "psycopg's pool, one in each process; in session mode each of its connections holds a backend",
    "transaction": "psycopg's pool, one in each process: saves the login at PgBouncer, which bounds the backends",
}
# Django has no default for it here; psycopg itself would start after 5
PREPARE = {
    "": "psycopg prepares a statement on the server when it is used this often",
    "session": "psycopg prepares a statement on the server when it is used this often",
    "transaction": "prepared when used this often; PgBouncer keeps up to max_prepared_statements {} for each client",
    "statement": "prepared when used this often; PgBouncer keeps up to max_prepared_statements {} for each client",
}
