"""Log in as told in JSON on standard input, a list of keyword arguments; print for each the error, or what came back.

Also the queries that each login is to make, under the key "sql"; without one, who the server says it is.
"""

from __future__ import annotations

import json
import sys

import psycopg

DEFAULTS = {"host": "127.0.0.1", "port": 6432, "dbname": "app", "connect_timeout": 10, "sslmode": "disable"}


def attempt(login: dict) -> list[str]:
    """The word ok and the answer, or the word error and the message."""
    statement = login.pop("sql", "SELECT current_user")
    try:
        with psycopg.connect(**{**DEFAULTS, **login}, autocommit=True, prepare_threshold=None) as connection:
            return ["ok", str(connection.execute(statement).fetchone()[0])]
    except psycopg.Error as error:
        return ["error", str(error)]


print(json.dumps([attempt(login) for login in json.load(sys.stdin)]))
