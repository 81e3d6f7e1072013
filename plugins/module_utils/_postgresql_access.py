# Copyright: the djangoops.pooling authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles and databases: what a server lacks of what is wanted, as the statements that add just that.

Private to this collection. The server's state is read once, by the queries in roles/postgresql/files; nothing here asks
it. Whatever is not declared stays as it is; removing is always declared (`state: absent`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.djangoops.pooling.plugins.module_utils._scram import matches, secret_kind, verifier

USER_KEYS = ("password", "verifier", "connection_limit", "member_of", "state")
DATABASE_KEYS = ("owner", "writers", "readers", "public_access", "state")
AUTH_KEYS = ("user", "password", "verifier", "databases", "schema", "connection_limit")
STATES = ("present", "absent")
MAX_NAME_BYTES = 63
Problems = list[str]


def identifier(name: str) -> str:
    """A name quoted for SQL. Raises ValueError for what PostgreSQL would cut off or refuse."""
    if not name or "\0" in name or len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"'{name}' is no name for PostgreSQL: 1 to {MAX_NAME_BYTES} bytes, no NUL")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text quoted for SQL, whatever standard_conforming_strings is."""
    quoted = text.replace("'", "''")
    return f"E'{quoted}'".replace("\\", "\\\\") if "\\" in text else f"'{quoted}'"


def is_absent(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is declared to be removed."""
    return bool(entry.get("state") == "absent")


def parameter_problems(
    users: Mapping[str, Any],
    databases: Mapping[str, Any],
    hba: Sequence[Mapping[str, Any]] = (),
    auth_query: Mapping[str, Any] | None = None,
    *,
    managed: bool = False,
) -> Problems:
    """What is wrong with the role's parameters, without a look at the server. No sentence has a secret in it."""
    problems: Problems = []
    for name, user in users.items():
        path = f"postgresql_users.{name} (pooling_users with the playbook site)"
        if not isinstance(user, Mapping):
            problems.append(f"{path}: a mapping is expected, such as {{password: ...}}")
            continue
        problems += _shape_problems(path, str(name), user, USER_KEYS)
        if not is_absent(user):
            problems += _secret_problems(path, user, optional=managed)
            problems += _limit_problems(path, user)
            problems += _list_problems(path, user, "member_of")
        methods = {rule["method"] for rule in hba if name in rule["users"]}
        if str(user.get("verifier", "")).startswith("md5") and "scram-sha-256" in methods:
            problems.append(
                f"postgresql_users.{name} has an md5 hash, and a rule of postgresql_hba asks for scram-sha-256. Set "
                f"pooling_auth_type to md5, or give a password."
            )
    for name, database in databases.items():
        path = f"postgresql_databases.{name}"
        if not isinstance(database, Mapping):
            problems.append(f"{path}: a mapping is expected, such as {{owner: app}}")
            continue
        problems += _shape_problems(path, str(name), database, DATABASE_KEYS)
        problems += _list_problems(path, database, "writers") + _list_problems(path, database, "readers")
        if not is_absent(database) and not database.get("owner"):
            problems.append(f"{path}.owner is missing; name a role")
        for role in _roles_of(database):
            if is_absent(users.get(role) or {}):
                problems.append(f"{path}: role '{role}' is declared absent; name another, or keep it")
    if auth_query:
        problems += _auth_problems(auth_query, users, managed)
    return problems


def _shape_problems(path: str, name: str, entry: Mapping[str, Any], keys: Sequence[str]) -> Problems:
    problems = [
        f"{path}: unknown key '{key}'; known are {', '.join(keys)}" for key in entry if key not in keys
    ]
    try:
        identifier(name)
    except ValueError as exc:
        problems.append(f"{path}: {exc}")
    if entry.get("state", "present") not in STATES:
        problems.append(f"{path}.state: '{entry['state']}' is none of {', '.join(STATES)}")
    return problems


def _secret_problems(path: str, user: Mapping[str, Any], *, optional: bool) -> Problems:
    given = [key for key in ("password", "verifier") if user.get(key) is not None]
    if optional and not given:
        return []
    if len(given) != 1:
        return [f"{path}: give either password or verifier."]
    value = user[given[0]]
    if given == ["verifier"]:
        if not isinstance(value, str) or secret_kind(value) == "plain":
            return [f"{path}: a verifier begins with SCRAM-SHA-256$ or md5, as in pg_authid.rolpassword."]
    elif not isinstance(value, str) or not value or set(value) & set("\0\r\n"):
        return [
            f"{path}: a password is a text of at least one character, in quotes if it looks like a number, and on one "
            f"line; YAML's | adds a line break, >- does not."
        ]
    return []


def _limit_problems(path: str, user: Mapping[str, Any]) -> Problems:
    limit = user.get("connection_limit", -1)
    if isinstance(limit, bool) or not isinstance(limit, int) or not -1 <= limit <= 262143:
        return [f"{path}.connection_limit: '{limit}' is not a whole number from -1 (no limit) to 262143"]
    return []


def _list_problems(path: str, entry: Mapping[str, Any], key: str) -> Problems:
    value = entry.get(key, [])
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or not all(isinstance(part, str) for part in value)
    ):
        return [f"{path}.{key}: a list of role names is expected"]
    return []


def _auth_problems(auth_query: Mapping[str, Any], users: Mapping[str, Any], managed: bool) -> Problems:
    path = "postgresql_auth_query"
    if managed:
        return [
            f"{path}: its function has to read pg_authid, which only a superuser can let it; a managed server has none. "
            f"List the users in pgbouncer_users instead."
        ]
    problems = [
        f"{path}: unknown key '{key}'; known are {', '.join(AUTH_KEYS)}"
        for key in auth_query
        if key not in AUTH_KEYS
    ]
    if not isinstance(auth_query.get("user"), str) or not auth_query["user"]:
        problems.append(f"{path}.user: the name of the role that PgBouncer asks as (auth_user) is missing")
    elif auth_query["user"] in users:
        problems.append(
            f"{path}.user '{auth_query['user']}' is in postgresql_users as well; give it in one of them"
        )
    problems += _secret_problems(path, auth_query, optional=False) + _limit_problems(path, auth_query)
    problems += _list_problems(path, auth_query, "databases")
    if not auth_query.get("databases"):
        problems.append(
            f"{path}.databases: name the databases that get the function (PgBouncer's auth_dbname, or all)"
        )
    return problems


def _roles_of(database: Mapping[str, Any]) -> list[str]:
    """Every role that a declared database names, the owner first."""
    if is_absent(database):
        return []
    named = [database.get("owner"), *database.get("writers", []), *database.get("readers", [])]
    return list(dict.fromkeys(str(role) for role in named if role))


def with_auth_user(users: Mapping[str, Any], auth_query: Mapping[str, Any] | None) -> dict[str, Any]:
    """The users with that of auth_query among them."""
    if not auth_query:
        return dict(users)
    user = {key: auth_query[key] for key in ("password", "verifier", "connection_limit") if key in auth_query}
    return {**users, str(auth_query["user"]): user}


def access_changes(
    users: Mapping[str, Mapping[str, Any]],
    databases: Mapping[str, Mapping[str, Any]],
    state: Mapping[str, Sequence[Mapping[str, Any]]],
    salt: Callable[[str], bytes],
    *,
    managed: bool = False,
) -> dict[str, Any]:
    """What to do so that roles and databases are as declared; parameter_problems has found nothing.

    state has the rows of files/roles.sql, databases.sql, owned.sql and sessions.sql, by those names; salt returns a role's
    salt for a new verifier. On a managed server verifiers cannot be read, so they are set again each time (`refresh`).

    Returns `problems`, `changes` (sentences without secrets), `statements` (one transaction), `refresh`, `verifiers`,
    `present` and `create` (databases), `create_statements` and `drop_statements` (databases, outside of a transaction),
    `drop_roles` (database and statements to run there, in order).
    """
    result: dict[str, Any] = {
        "problems": [],
        "changes": [],
        "statements": [],
        "refresh": [],
        "verifiers": {},
        "present": [],
        "create": [],
        "create_statements": [],
        "drop_statements": [],
        "drop_roles": [],
    }
    roles = {str(row["name"]): row for row in state["roles"]}
    there = {str(row["name"]): row for row in state["databases"]}
    for name, user in users.items():
        if is_absent(user):
            if name in roles:
                _drop_role(name, state, databases, roles[name], managed, result)
        else:
            _role(name, user, roles.get(name), salt, managed, result)
            result["problems"] += [
                f"postgresql_users.{name}.member_of: there is no role '{group}'; correct the name, or declare it"
                for group in user.get("member_of", [])
                if group not in roles and is_absent(users.get(group, {"state": "absent"}))
            ]
    for name, database in databases.items():
        if is_absent(database):
            if name in there:
                _drop_database(name, there[name], result)
            continue
        for role in _roles_of(database):
            if role not in roles and is_absent(users.get(role, {"state": "absent"})):
                result["problems"].append(
                    f"postgresql_databases.{name}: there is no role '{role}'; declare it in postgresql_users"
                )
        result["present"].append(name)
        owner = str(database["owner"])
        if managed and not roles.get(owner, {}).get("usable"):
            # without it neither CREATE DATABASE ... OWNER nor a grant on its tables is allowed to who is no superuser
            result["statements"].append(f"GRANT {identifier(owner)} TO CURRENT_USER")
            result["changes"].append(f"role {owner}: granted to the login role")
        if name not in there:
            result["create"].append(name)
            result["create_statements"].append(
                f"CREATE DATABASE {identifier(name)} OWNER {identifier(owner)}"
            )
            result["changes"].append(f"database {name}: created")
        elif there[name]["owner"] != owner:
            result["statements"].append(f"ALTER DATABASE {identifier(name)} OWNER TO {identifier(owner)}")
            result["changes"].append(f"database {name}: owner {there[name]['owner']} -> {owner}")
    result["drop_roles"] = _by_database(result["drop_roles"])
    return result


def _by_database(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each database, however many roles go; the cluster itself, where the roles are dropped, last."""
    names = sorted({str(part["database"]) for part in parts}, key=lambda name: (name == "", name))
    return [
        {
            "database": name,
            "statements": [text for part in parts if part["database"] == name for text in part["statements"]],
        }
        for name in names
    ]


def _role(
    name: str,
    user: Mapping[str, Any],
    row: Mapping[str, Any] | None,
    salt: Callable[[str], bytes],
    managed: bool,
    result: dict[str, Any],
) -> None:
    if row is None and user.get("password") is None and user.get("verifier") is None:
        result["problems"].append(
            f"postgresql_users.{name}: there is no such role, and no password to make it with; give one, or make the role "
            f"in the provider's console"
        )
        return
    quoted = identifier(name)
    stored = row["verifier"] if row else None
    wanted = user.get("verifier")
    if wanted is None and user.get("password") is not None:
        kept = stored if stored and matches(stored, user["password"]) else None
        wanted = kept or verifier(user["password"], salt=salt(name))
    if wanted is not None:
        result["verifiers"][name] = wanted
    options, said = [], []
    if row is None or not row["can_login"]:
        options.append("LOGIN")
        said.append("created" if row is None else "may log in")
    if "connection_limit" in user and (row is None or row["connection_limit"] != user["connection_limit"]):
        options.append(f"CONNECTION LIMIT {user['connection_limit']}")
        said.append(
            f"connection limit {row['connection_limit'] if row else -1} -> {user['connection_limit']}"
        )
    if wanted is not None and wanted != stored and (row is None or not managed):
        options.append(f"PASSWORD {literal(wanted)}")
        said += [] if row is None else ["new verifier"]
    elif wanted is not None and managed:
        result["refresh"].append(f"ALTER ROLE {quoted} PASSWORD {literal(wanted)}")
    if options:
        result["statements"].append(
            f"{'CREATE' if row is None else 'ALTER'} ROLE {quoted} {' '.join(options)}"
        )
    for group in user.get("member_of", []):
        if row is None or group not in row["member_of"]:
            result["statements"].append(f"GRANT {identifier(group)} TO {quoted}")
            said.append(f"member of {group}")
    if said:
        result["changes"].append(f"role {name}: {', '.join(said)}")


def _drop_role(
    name: str,
    state: Mapping[str, Sequence[Mapping[str, Any]]],
    databases: Mapping[str, Mapping[str, Any]],
    row: Mapping[str, Any],
    managed: bool,
    result: dict[str, Any],
) -> None:
    going = {database for database, entry in databases.items() if is_absent(entry)}
    depending = [
        entry for entry in state["owned"] if entry["role"] == name and entry["database"] not in going
    ]
    owned = {str(entry["database"]): int(entry["owned"]) for entry in depending if int(entry["owned"])}
    open_now = sum(int(entry["count"]) for entry in state["sessions"] if entry["role"] == name)
    path, quoted = f"postgresql_users.{name}", identifier(name)
    if row["superuser"]:
        result["problems"].append(f"{path}: a superuser is not removed by this role; do it by hand")
    elif owned:
        where = ", ".join(f"{count} in {database or 'the cluster'}" for database, count in owned.items())
        result["problems"].append(
            f"{path}: the role owns objects ({where}) and cannot be removed. Give them away first, in each database: "
            f"REASSIGN OWNED BY {quoted} TO another_role;"
        )
    elif open_now:
        result["problems"].append(
            f"{path}: the role has {open_now} open session(s) and is not removed; end them first"
        )
    else:
        if managed and not row["usable"]:
            result["statements"].append(f"GRANT {quoted} TO CURRENT_USER")
        # what is left are grants; checked once more in the same transaction, as DROP OWNED would drop objects too
        check = (
            f"DO $do$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_authid'::regclass "
            f"AND refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = {literal(name)}) AND deptype = 'o') "
            f"THEN RAISE EXCEPTION 'the role owns objects by now'; END IF; END $do$"
        )
        result["drop_roles"] += [
            {"database": str(entry["database"]), "statements": [check, f"DROP OWNED BY {quoted}"]}
            for entry in depending
            if entry["database"]
        ]
        result["drop_roles"].append(
            {"database": "", "statements": [check, f"DROP OWNED BY {quoted}", f"DROP ROLE {quoted}"]}
        )
        result["changes"].append(f"role {name}: removed")


def _drop_database(name: str, row: Mapping[str, Any], result: dict[str, Any]) -> None:
    path = f"postgresql_databases.{name}"
    if row["template"] or name == "postgres":
        result["problems"].append(f"{path}: a template or maintenance database is not removed by this role")
    elif row["sessions"]:
        result["problems"].append(
            f"{path}: {row['sessions']} session(s) are connected, and the database is not removed; end them first"
        )
    else:
        result["drop_statements"].append(f"DROP DATABASE {identifier(name)}")
        result["changes"].append(f"database {name}: removed")
