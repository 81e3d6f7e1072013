# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Privileges inside one database, and the function that PgBouncer's auth_query asks.

Private to this collection. From the rows of roles/postgresql/files/database.sql to the statements that add what lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._postgresql_access import identifier, literal

# What Django needs of tables and sequences that the owner's migrations have made.
PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "writers": {"TABLES": ("SELECT", "INSERT", "UPDATE", "DELETE"), "SEQUENCES": ("SELECT", "USAGE")},
    "readers": {"TABLES": ("SELECT",), "SEQUENCES": ("SELECT",)},
}
# pg_default_acl.defaclobjtype
_KINDS = {"TABLES": "r", "SEQUENCES": "S"}

AUTH_SCHEMA = "pgbouncer"
AUTH_FUNCTION = "get_auth"
# RETURNS TABLE, so that an unknown user is none and not one without a password; no superusers and no replication, as
# whoever may call it learns the verifiers; an expired role gets no password.
AUTH_RESULT = "TABLE(usename name, passwd text)"
AUTH_CONFIG = ["search_path=pg_catalog, pg_temp"]
AUTH_SOURCE = (
    " SELECT rolname, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END"
    " FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin AND NOT rolsuper AND NOT rolreplication "
)


def database_changes(
    name: str,
    database: Mapping[str, Any],
    rows: Sequence[Sequence[Mapping[str, Any]]],
    auth_query: Mapping[str, Any] | None = None,
    *,
    public_access: bool = True,
    settings: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """What to run in a database so that privileges and the auth_query function are as declared.

    database is an entry of postgresql_databases; rows the results of files/database.sql, grantees.sql and
    auth_function.sql. public_access is the default of the entry's own; settings are for ALTER DATABASE. Returns
    `problems`, `changes` (sentences) and `statements`, for one transaction.
    """
    result: dict[str, list[str]] = {"problems": [], "changes": [], "statements": []}
    (here,) = rows[0]
    _public(name, database, here, database.get("public_access", public_access), result)
    for setting, value in (settings or {}).items():
        if f"{setting}={value}" not in here["settings"]:
            result["statements"].append(f"ALTER DATABASE {identifier(name)} SET {setting} = {literal(value)}")
            result["changes"].append(f"database {name}: {setting} = {value}")
    grantees = {str(row["role"]): row for row in rows[1]}
    for kind in PRIVILEGES:
        for role in database.get(kind, []):
            # a role that is yet to be made has none (check mode)
            _grants(name, str(database["owner"]), role, kind, grantees.get(role, {}), here, result)
    if auth_query and name in auth_query["databases"]:
        _auth(name, auth_query, grantees.get(str(auth_query["user"]), {}), rows[2], result)
    return result


def _public(
    name: str,
    database: Mapping[str, Any],
    here: Mapping[str, Any],
    allowed: bool,
    result: dict[str, list[str]],
) -> None:
    owner = identifier(str(database["owner"]))
    creates = bool(here["owner_creates"])
    if not allowed:
        if here["public_connects"]:
            result["statements"].append(
                f"REVOKE CONNECT, TEMPORARY ON DATABASE {identifier(name)} FROM PUBLIC"
            )
            result["changes"].append(f"database {name}: PUBLIC may not connect")
        if here["public_creates"]:  # before PostgreSQL 15 everybody may, and in what was restored from there
            result["statements"].append("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            result["changes"].append(f"database {name}: PUBLIC may not create in schema public")
            creates = False
    if not creates and here["has_public"]:
        result["statements"].append(f"GRANT USAGE, CREATE ON SCHEMA public TO {owner}")
        result["changes"].append(f"database {name}: {database['owner']} may create in schema public")


def _grants(
    name: str,
    owner: str,
    role: str,
    kind: str,
    row: Mapping[str, Any],
    here: Mapping[str, Any],
    result: dict[str, list[str]],
) -> None:
    quoted = identifier(role)
    statements = []
    if not row.get("connects"):
        statements.append(f"GRANT CONNECT ON DATABASE {identifier(name)} TO {quoted}")
    if here["has_public"]:
        if not row.get("uses"):
            statements.append(f"GRANT USAGE ON SCHEMA public TO {quoted}")
        for objects, privileges in PRIVILEGES[kind].items():
            listed = ", ".join(privileges)
            missing = row.get("missing", {}).get(objects, {})
            if any(missing.get(privilege, 1) for privilege in privileges):
                statements.append(f"GRANT {listed} ON ALL {objects} IN SCHEMA public TO {quoted}")
            if {f"{_KINDS[objects]}:{privilege}" for privilege in privileges} - set(
                row.get("defaults") or []
            ):
                statements.append(
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {identifier(owner)} IN SCHEMA public "
                    f"GRANT {listed} ON {objects} TO {quoted}"
                )
    if statements:
        result["statements"] += statements
        result["changes"].append(f"database {name}: {role} among the {kind}")


def _auth(
    name: str,
    auth_query: Mapping[str, Any],
    grantee: Mapping[str, Any],
    functions: Sequence[Mapping[str, Any]],
    result: dict[str, list[str]],
) -> None:
    schema, user = str(auth_query.get("schema") or AUTH_SCHEMA), str(auth_query["user"])
    function = next(iter(functions or []), {})
    if function and not function["schema_owner_superuser"]:
        result["problems"].append(
            f"postgresql_auth_query.schema: schema '{schema}' of database '{name}' belongs to {function['schema_owner']}, "
            f"who could replace the function; give it to a superuser, or name another schema"
        )
        return
    wanted = {
        "source": AUTH_SOURCE,
        "config": AUTH_CONFIG,
        "result": AUTH_RESULT,
        "security_definer": True,
        "owner_superuser": True,
        "grantees": [user],
        "schema_grantees": [user],
    }
    stale = [key for key, value in wanted.items() if function.get(key) != value]
    quoted, to = f"{identifier(schema)}.{AUTH_FUNCTION}", identifier(user)
    if not grantee.get("connects"):
        result["statements"].append(f"GRANT CONNECT ON DATABASE {identifier(name)} TO {to}")
        result["changes"].append(f"database {name}: {user} may connect")
    if stale:
        result["statements"] += [
            f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}",
            f"REVOKE ALL ON SCHEMA {identifier(schema)} FROM PUBLIC",
            f"GRANT USAGE ON SCHEMA {identifier(schema)} TO {to}",
            # in one transaction with the new one: whoever asks meanwhile waits
            f"DROP FUNCTION IF EXISTS {quoted}(text)",
            f"CREATE FUNCTION {quoted}(p text) RETURNS {AUTH_RESULT} LANGUAGE sql STABLE SECURITY DEFINER "
            f"SET search_path = pg_catalog, pg_temp AS $auth${AUTH_SOURCE}$auth$",
            f"REVOKE ALL ON FUNCTION {quoted}(text) FROM PUBLIC",
            f"GRANT EXECUTE ON FUNCTION {quoted}(text) TO {to}",
        ]
        state = f"replaced ({', '.join(stale)} differed)" if function.get("source") else "created"
        result["changes"].append(f"database {name}: function {schema}.{AUTH_FUNCTION} {state}")
