"""What render writes is read back as it was given."""

from __future__ import annotations

from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_ini import render
from ansible_collections.djangoops.pooling.plugins.module_utils._pgbouncer_parse import (
    connect_string,
    sections,
)
from hypothesis import given
from hypothesis import strategies as st

ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1)


@given(
    password=ONE_LINE,
    name=st.text("abc XYZ[];#=%._*-", min_size=1, max_size=20).filter(lambda name: name == name.strip()),
    query=ONE_LINE.filter(lambda text: text == text.strip()),
)
def test_whatever_is_rendered_is_read_back(password: str, name: str, query: str) -> None:
    databases = {name: {"password": password, "pool_size": "3"}}
    settings = {"server_check_query": query, "admin_users": ["a", "b"]}
    text = render({"databases": databases, "settings": settings}, version="1.26.1")
    read = sections("/ini", {"/ini": text})
    assert {key: connect_string(value) for key, value in read["databases"].items()} == databases
    assert read["pgbouncer"] == {"server_check_query": query, "admin_users": "a,b"}


def test_an_included_file_is_read_in_its_place() -> None:
    texts = {
        "/main": "; [not]\n[databases]\napp = host=h\n[pgbouncer]\npeer_id = 1\nlogfile =\n",
        "/two": "# own\n%include /main\npeer_id = 2\n",
    }
    assert sections("/two", texts) == {
        "databases": {"app": "host=h"},
        "pgbouncer": {"peer_id": "2", "logfile": ""},
    }
