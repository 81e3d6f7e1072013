"""Every strategy against everything that Django does with a connection, measured, and compared with expected.yml."""

from __future__ import annotations

import difflib
import fnmatch
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ENVIRONMENTS, HOSTS, VARIABLES, Environment, as_postgres, sql, suite_of
from matrix import Seen, measure
from table import DIRECT, REFUSED, WORKS, symptoms, table

SCENARIO = Path(__file__).parents[1]
DOCUMENT = SCENARIO.parents[1] / "docs" / "django.md"
EXPECTED: dict[str, Any] = yaml.safe_load((SCENARIO / "expected.yml").read_text(encoding="utf-8"))
DEBIAN = {"bookworm": "Debian 12", "trixie": "Debian 13", "forky": "Debian testing"}


@pytest.fixture(scope="session")
def seen() -> dict[Environment, Seen]:
    """Everything, measured once."""
    return measure()


def expected(environment: Environment, alias: str, row: str) -> str:
    """What a cell should be."""
    breaks = set(EXPECTED["rows"][row].get("breaks", ()))
    for difference in EXPECTED["differences"]:
        if row in difference["rows"] and matches(environment, difference["environments"]):
            breaks |= set(difference["breaks"])
    return DIRECT if alias in breaks else WORKS


def matches(environment: Environment, patterns: Iterable[str]) -> bool:
    """Whether an environment is one of those."""
    return any(fnmatch.fnmatch(str(environment), pattern) for pattern in patterns)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_every_cell_is_as_expected(environment: Environment, seen: dict[Environment, Seen]) -> None:
    """Each cell works or not as expected.yml has it; and what does not work elsewhere works by the direct alias."""
    wrong = [
        f"{alias} / {row}: {message or WORKS}"
        for alias, cells in seen[environment].items()
        for row, message in cells.items()
        if (DIRECT if message else WORKS) != expected(environment, alias, row)
    ]
    assert not wrong, "\n".join(wrong)
    assert not any(seen[environment]["direct"].values())


def values(seen: dict[Environment, Seen]) -> dict[str, dict[str, dict[str, str]]]:
    """What was measured, as the documentation has it; a refused alias is refused as a whole."""
    return {
        str(environment): {
            alias: dict.fromkeys(EXPECTED["rows"], REFUSED)
            if alias in environment.refused
            else {row: DIRECT if message else WORKS for row, message in seen[environment][alias].items()}
            for alias in EXPECTED["columns"]
        }
        for environment in seen
    }


def titles() -> dict[str, str]:
    """The environments in the order of the documentation, with what is installed there."""
    order = sorted(ENVIRONMENTS, key=lambda each: (list(DEBIAN).index(suite_of(each.host)), each.name))
    return {
        str(environment): f"{DEBIAN[suite_of(environment.host)]} with {environment.name.replace('-', ' and ')}"
        for environment in order
    }


def test_the_documentation_has_what_was_measured(seen: dict[Environment, Seen]) -> None:
    """The tables of docs/django.md are those of this run; with POOLING_WRITE_TABLE=1 they are written instead."""
    newest = next(environment for environment in seen if str(environment) == list(titles())[-1])
    found = {
        "table": table(EXPECTED, values(seen), titles()),
        "symptoms": symptoms(EXPECTED, seen[newest], newest.aliases),
    }
    text = DOCUMENT.read_text(encoding="utf-8")
    new = text
    for name, content in found.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, rest = new.split(begin)
        new = before + begin + "\n" + content + "\n" + end + rest.split(end)[1]
    if os.environ.get("POOLING_WRITE_TABLE"):
        DOCUMENT.write_text(new, encoding="utf-8")
        return
    difference = "".join(difflib.unified_diff(text.splitlines(True), new.splitlines(True), "docs/django.md", "measured"))
    assert not difference, f"{difference}\nPOOLING_WRITE_TABLE=1 molecule verify -s django  writes it"
