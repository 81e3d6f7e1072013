"""Pool modes and timeouts, as clients meet them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Machine

PROGRAM = "/usr/local/lib/pooling-authentication/behaviour.py"


@pytest.fixture(scope="session")
def seen() -> Callable[[Machine], dict[str, Any]]:
    """What the program saw on a host."""

    @functools.cache
    def run(machine: Machine) -> dict[str, Any]:
        return dict(json.loads(machine.run(f"/opt/django/bin/python {PROGRAM}")))

    return run


Seen = Callable[[Machine], dict[str, Any]]


def test_a_session_keeps_its_backend(machine: Machine, seen: Seen) -> None:
    """In pool mode session a client has one backend for itself."""
    first, second = seen(machine)["session"]
    assert len(first) == len(second) == 1
    assert first != second


def test_transactions_share_backends(machine: Machine, seen: Seen) -> None:
    """In pool mode transaction twelve clients get by with no more backends than the pool has, and with all of them."""
    assert seen(machine)["transaction"] == [12, 3]


def test_statement_mode_refuses_transactions(machine: Machine, seen: Seen) -> None:
    """In pool mode statement there are no transactions."""
    message, _seconds = seen(machine)["statement"]
    assert "transaction blocks not allowed" in message


def test_waiting_for_a_backend_ends(machine: Machine, seen: Seen) -> None:
    """query_wait_timeout, given as 2s, sends the client away after two seconds, and leaves who has the backend alone."""
    message, seconds, kept = seen(machine)["query_wait"]
    assert "query_wait_timeout" in message
    assert 1.5 < seconds < 4.4
    assert kept == 1


def test_an_idle_transaction_is_cut(machine: Machine, seen: Seen) -> None:
    """idle_transaction_timeout, given as 2s, cuts the client off and frees the backend."""
    message, _seconds, left = seen(machine)["idle_transaction"]
    assert "idle transaction timeout" in message
    assert left == 0
