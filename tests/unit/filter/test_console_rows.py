"""The filter console_rows reads what psql --csv prints."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.console_rows import FilterModule
from hypothesis import example, given
from hypothesis import strategies as st

console_rows = FilterModule().filters()["console_rows"]

# any value that a console in UTF-8 can print
VALUE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("key,value\n", []),
        (
            "key,value\npool_mode,transaction\nlisten_addr,*\n",
            [{"key": "pool_mode", "value": "transaction"}, {"key": "listen_addr", "value": "*"}],
        ),
        (
            'key,value\nlisten_addr,"127.0.0.1,::1"\nserver_reset_query,"say ""x""\nagain"\n',
            [
                {"key": "listen_addr", "value": "127.0.0.1,::1"},
                {"key": "server_reset_query", "value": 'say "x"\nagain'},
            ],
        ),
        ("key,value\nauth_file,\n", [{"key": "auth_file", "value": ""}]),
        ("key,value\r\na,b\r\n", [{"key": "a", "value": "b"}]),
        # Ansible strips the last newline
        ("key,value\na,b", [{"key": "a", "value": "b"}]),
    ],
)
def test_rows(text: str, rows: list[dict[str, str]]) -> None:
    assert console_rows(text) == rows


@given(st.lists(st.tuples(VALUE, VALUE)))
@example([("a\rb", "c\r\nd\n")])
def test_any_value_comes_back(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("key", "value"), *rows])
    assert [(row["key"], row["value"]) for row in console_rows(text.getvalue())] == rows


@pytest.mark.parametrize("text", [None, 7, ["key,value"], {"stdout": "key,value"}, b"key,value\n"])
def test_errors_begin_with_the_name(text: Any) -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^djangoops\.pooling\.console_rows: the text that psql --csv"
    ):
        console_rows(text)
