"""Rules of client authentication and maps of names."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_hba import (
    METHODS,
    render,
    render_ident,
)
from hypothesis import given
from hypothesis import strategies as st

RULE = {"type": "host", "databases": ["app"], "users": ["web"], "address": "192.0.2.0/24", "method": "md5"}
MAPS = [{"map": "machines", "system_user": 'CN="web"', "user": "app"}]


def text(*rules: object, version: str = "1.24.1", ident: object = ()) -> str:
    return render(list(rules), ident=ident, version=version)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, 'host "app" "web" 192.0.2.0/24 md5'),
        ({"databases": None, "users": None}, "host all all 192.0.2.0/24 md5"),
        ({"databases": ["sameuser"], "users": ["sameuser"]}, 'host sameuser "sameuser" 192.0.2.0/24 md5'),
        ({"databases": ["replication", "+x", "@x"]}, 'host "replication","+x","@x" "web" 192.0.2.0/24 md5'),
        ({"users": ['o"brien', "a, b #"]}, 'host "app" "o""brien","a, b #" 192.0.2.0/24 md5'),
        ({"address": "2001:db8::1"}, 'host "app" "web" 2001:db8::1/128 md5'),
        ({"address": "all"}, 'host "app" "web" all md5'),
        ({"type": "local", "address": None, "method": "peer"}, 'local "app" "web" peer'),
        (
            {"type": "hostssl", "method": "cert", "map": "machines"},
            'hostssl "app" "web" 192.0.2.0/24 cert map=machines',
        ),
    ],
)
def test_a_line(changes: dict[str, Any], line: str) -> None:
    assert text({**RULE, **changes}, ident=MAPS) == f"{line}\n"


def test_ldap_has_options() -> None:
    rule = {**RULE, "method": "ldap", "options": 'ldapserver=x ldapprefix="a b"'}
    assert text(rule, version="1.25.2").endswith(' ldap ldapserver=x ldapprefix="a b"\n')


def test_all_addresses_before_the_word() -> None:
    lines = text({**RULE, "address": "all"}, version="1.18.0").splitlines()
    assert lines == ['host "app" "web" 0.0.0.0/0 md5', 'host "app" "web" ::/0 md5']


def test_maps() -> None:
    assert render_ident([*MAPS, {"map": "m", "system_user": "x", "user": "all"}]) == (
        'machines "CN=""web""" "app"\nm "x" all\n'
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "hostgssenc"}, "type: one of local, host"),
        ({"method": "pam"}, f"method: one of {', '.join(METHODS)}"),
        ({"method": None}, "method: one of"),
        ({"method": "ldap"}, "method: ldap came with PgBouncer 1.25.0; installed is 1.24.1"),
        ({"databases": "app"}, "databases: a list of names"),
        ({"databases": []}, "databases: a list of names"),
        ({"users": [""]}, "users: text on one line"),
        ({"users": ["a\nhost all all all trust"]}, "users: text on one line"),
        ({"users": [5]}, "users: text on one line"),
        ({"address": None}, "address: text on one line"),
        ({"address": "db.example.com"}, "address: 'db.example.com' is neither all nor a network"),
        ({"address": "samenet"}, "address: 'samenet' is neither"),
        ({"address": "192.0.2.1/24"}, "address: '192.0.2.1/24' is neither"),
        ({"type": "local"}, "address: a rule of type local has none"),
        ({"method": "peer"}, "method: peer asks the operating system"),
        ({"method": "cert", "type": "hostnossl"}, "method: cert needs TLS"),
        ({"map": "machines"}, "map: only the methods cert and peer"),
        ({"method": "cert", "map": "nobody"}, "map: pgbouncer_ident has no map 'nobody'"),
        ({"options": "x"}, "options: only method ldap"),
        ({"adress": "x"}, "unknown keys adress; known are type, databases"),
    ],
)
def test_what_pgbouncer_would_skip_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^pgbouncer_hba\[1\]: {message}"):
        text(RULE, {**RULE, **changes}, ident=MAPS)


def test_a_map_needs_a_version() -> None:
    with pytest.raises(ValueError, match=r"map: came with PgBouncer 1\.23\.0; installed is 1\.18\.0"):
        text({**RULE, "method": "cert", "map": "machines"}, ident=MAPS, version="1.18.0")


@pytest.mark.parametrize("rules", [None, "x", {"type": "host"}, ["x"]])
def test_no_rules(rules: Any) -> None:
    with pytest.raises(ValueError, match=r"^pgbouncer_hba"):
        render(rules, ident=[], version="1.24.1")


@pytest.mark.parametrize(
    "maps",
    [None, "x", ["x"], [{"map": "m", "user": "x"}], [{**MAPS[0], "map": "a b"}], [{**MAPS[0], "user": ""}]],
)
def test_no_maps(maps: Any) -> None:
    with pytest.raises(ValueError, match=r"^pgbouncer_ident"):
        render_ident(maps)


def tokens(line: str) -> list[list[str]]:
    """The fields of a line and their names, the way PgBouncer's next_token reads them."""
    fields: list[list[str]] = []
    position, after_comma = 0, False
    while position < len(line):
        char = line[position]
        if char.isspace():
            position += 1
            continue
        if char == ",":
            position, after_comma = position + 1, True
            continue
        if char == '"':
            end, word = position + 1, ""
            while line[end] != '"' or line[end : end + 2] == '""':
                word += line[end]
                end += 2 if line[end] == '"' else 1
            position = end + 1
        else:
            end = position
            while end < len(line) and line[end] not in ',#" \t\n':
                end += 1
            word, position = line[position:end], end
        if after_comma:
            fields[-1].append(word)
        else:
            fields.append([word])
        after_comma = False
    return fields


NAME = st.text(
    st.one_of(st.sampled_from("\"'\\; #%\t$,+@"), st.characters(exclude_categories=["Cs"])),
    min_size=1,
    max_size=25,
).filter(lambda name: not set(name) & set("\0\r\n"))


@given(st.lists(NAME, min_size=1, max_size=3), st.lists(NAME, min_size=1, max_size=3))
def test_any_names_are_read_back(databases: list[str], users: list[str]) -> None:
    rule = {**RULE, "databases": databases, "users": users}
    line = text(rule).removesuffix("\n")
    assert tokens(line) == [["host"], databases, users, ["192.0.2.0/24"], ["md5"]]
