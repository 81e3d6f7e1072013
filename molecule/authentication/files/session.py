"""Keep a session open: log in as told in JSON in the argument, then for each line on standard input print the backend."""

from __future__ import annotations

import json
import sys

import psycopg

with psycopg.connect(**json.loads(sys.argv[1]), autocommit=True, prepare_threshold=None) as connection:
    for _line in sys.stdin:
        print(connection.execute("SELECT pg_backend_pid()").fetchone()[0], flush=True)
