"""The glue of the filter scram_verifier."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.djangoops.pooling.plugins.filter.scram_verifier import FilterModule
from ansible_collections.djangoops.pooling.plugins.module_utils._scram import matches, verifier

scram_verifier = FilterModule().filters()["scram_verifier"]
STORED = verifier("pencil", salt=b"0123456789abcdef", iterations=10)


def test_a_verifier_is_returned_as_it_is() -> None:
    assert scram_verifier(STORED) == STORED
    assert scram_verifier(STORED, existing=verifier("other", salt=b"x", iterations=10)) == STORED


def test_a_matching_verifier_is_kept() -> None:
    assert scram_verifier("pencil", STORED, iterations=20) == STORED


@pytest.mark.parametrize("existing", [None, "", "pencil", "md5" + "0" * 32, STORED])
def test_anything_else_is_replaced(existing: str | None) -> None:
    text = scram_verifier("other", existing=existing, iterations=10)
    assert text != existing
    assert matches(text, "other")
    assert text.startswith("SCRAM-SHA-256$10:")


def test_salts_are_random() -> None:
    assert scram_verifier("pencil", iterations=10) != scram_verifier("pencil", iterations=10)


@pytest.mark.parametrize(
    ("password", "iterations", "message"),
    [
        (12345, 10, "must be text"),
        (None, 10, "must be text"),
        ("", 10, "must not be empty"),
        ("x", 0, "iterations"),
    ],
)
def test_errors_begin_with_the_name(password: object, iterations: int, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"^djangoops\.pooling\.scram_verifier: .*{message}"):
        scram_verifier(password, iterations=iterations)
