"""Every strategy against everything that Django does with a connection, measured, and compared with expected.yml."""

from __future__ import annotations

import difflib
import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.plugins.loader import filter_loader, init_plugin_loader
from conftest import ENVIRONMENTS, VARIABLES, Environment, console, sql, suite_of
from matrix import Seen, measure
from table import DIRECT, REFUSED, WORKS, symptoms, table

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[2] / "docs" / "django.md"
EXPECTED: dict[str, Any] = yaml.safe_load((HERE / "expected.yml").read_text(encoding="utf-8"))
DEBIAN = {"bookworm": "Debian 12", "trixie": "Debian 13", "forky": "Debian testing"}
# as in the documentation: the newest last
IN_ORDER = sorted(ENVIRONMENTS, key=lambda each: (list(DEBIAN).index(suite_of(each.host)), each.name))


@pytest.fixture(scope="session")
def seen() -> dict[Environment, Seen]:
    """Everything, measured once."""
    return measure()


def specifications(environment: Environment, row: str) -> Iterator[dict[str, Any]]:
    """What expected.yml says of a row that holds in an environment."""
    yield EXPECTED["rows"][row]
    for difference in EXPECTED["differences"]:
        patterns = difference["environments"]
        if row == difference["row"] and any(fnmatch.fnmatch(str(environment), each) for each in patterns):
            yield difference


def expected(environment: Environment, alias: str, row: str) -> str:
    """What a cell should be."""
    found = list(specifications(environment, row))
    if any(alias in each.get("refused", {}).get("aliases", ()) for each in found):
        return REFUSED
    return DIRECT if any(alias in each.get("breaks", ()) for each in found) else WORKS


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_every_cell_is_as_expected(environment: Environment, seen: dict[Environment, Seen]) -> None:
    """Each cell works or not as expected.yml has it, and what does not work elsewhere works by the direct alias."""
    wrong = [
        f"{alias} / {row}: {message or WORKS}"
        for alias, cells in seen[environment].items()
        for row, message in cells.items()
        if (message is None) != (expected(environment, alias, row) == WORKS)
    ]
    assert not wrong, "\n".join(wrong)
    assert not any(seen[environment]["direct"].values())


def refusals() -> Iterator[tuple[Environment, str, dict[str, Any]]]:
    """Environment, alias and additional settings of everything that the role has to refuse."""
    for environment in ENVIRONMENTS:
        for alias in environment.refused:
            yield environment, alias, {}
        for row in EXPECTED["rows"]:
            for each in specifications(environment, row):
                refused = each.get("refused", {"aliases": ()})
                for alias in refused["aliases"]:
                    if alias in environment.aliases:
                        yield environment, alias, refused["with"]


def test_the_role_refuses_what_it_should() -> None:
    """The role's own filter ends with the reason for each refused alias and cell, and takes the alias without that."""
    init_plugin_loader()
    write = filter_loader.get("djangoops.pooling.django_databases").j2_function
    wrong, refused = [], list(refusals())
    for environment, alias, settings in refused:
        plain = VARIABLES["shop_databases"][alias]
        versions = {"version": environment.django, "psycopg": environment.psycopg}
        try:
            write({alias: {**plain, **settings}}, **versions)
            wrong.append(f"{environment} {alias} {settings}")
        except AnsibleFilterError as error:
            assert f"django_settings_databases.{alias}." in str(error)
        if settings:
            write({alias: plain}, **versions)
    assert not wrong, "\n".join(wrong)
    assert len(refused) > len(EXPECTED["columns"])


def title(environment: Environment) -> str:
    """What is installed there, asked of the servers."""
    pgbouncer = console(environment.host, "SHOW VERSION").splitlines()[-1].split()[-1]
    postgresql = sql(environment.host, "SHOW server_version").split(".")[0]
    return (
        f"{DEBIAN[suite_of(environment.host)]} (PgBouncer {'.'.join(pgbouncer.split('.')[:2])}, "
        f"PostgreSQL {postgresql}, Django {environment.django}, psycopg {environment.psycopg})"
    )


def test_the_documentation_has_what_was_measured(seen: dict[Environment, Seen]) -> None:
    """The tables of docs/django.md are those of this run; with POOLING_WRITE_TABLE=1 they are written instead."""
    titles = {str(environment): title(environment) for environment in IN_ORDER}
    values = {
        str(environment): {
            alias: {
                row: WORKS
                if message is None
                # what the role refuses was refused in the test above
                else REFUSED
                if expected(environment, alias, row) == REFUSED
                else DIRECT
                for row, message in cells.items()
            }
            for alias, cells in seen[environment].items()
        }
        for environment in ENVIRONMENTS
    }
    found = {
        "table": table(EXPECTED, values, titles),
        "symptoms": symptoms(EXPECTED, seen[IN_ORDER[-1]]),
        "environments": "".join(f"- {text}\n" for text in titles.values()),
    }
    old = new = DOCUMENT.read_text(encoding="utf-8")
    for name, content in found.items():
        before, rest = new.split(f"<!-- {name} -->\n")
        after = rest.split(f"<!-- end of {name} -->\n")[1]
        new = f"{before}<!-- {name} -->\n\n{content}\n<!-- end of {name} -->\n{after}"
    if os.environ.get("POOLING_WRITE_TABLE"):
        DOCUMENT.write_text(new, encoding="utf-8")
        return
    difference = difflib.unified_diff(
        old.splitlines(True), new.splitlines(True), "docs/django.md", "measured"
    )
    assert old == new, "".join(difference) + "\nTo write it: POOLING_WRITE_TABLE=1 molecule verify -s django"
