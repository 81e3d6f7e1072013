"""The table of the documentation, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

WORKS, DIRECT, REFUSED = "works", "direct", "refused"
# environment -> alias -> row -> value; a row that an environment does not have is left out
Values = Mapping[str, Mapping[str, Mapping[str, str]]]


def table(expected: Mapping[str, Any], values: Values, titles: Mapping[str, str]) -> str:
    """Markdown: a row for each cell, a column for each alias, and below it where environments differ.

    `titles` has the environments in their order with a text for each; the last one's value stands in the table.
    """
    columns, rows = expected["columns"], expected["rows"]
    notes: dict[str, int] = {}
    lines = ["| |" + "".join(f" {title} |" for title in columns.values())]
    lines.append("| --- |" + " --- |" * len(columns))
    for row, description in rows.items():
        line = f"| {description['title']} |"
        for alias in columns:
            found = {name: values[name][alias][row] for name in titles if row in values[name][alias]}
            line += f" {_cell(found, titles, notes)} |"
        lines.append(line)
    return "\n".join([*lines, "", *(f"{number}. {text}" for text, number in notes.items())]) + "\n"


def _cell(found: Mapping[str, str], titles: Mapping[str, str], notes: dict[str, int]) -> str:
    *_, shown = found.values()
    differing: dict[str, list[str]] = {}
    for name, value in found.items():
        if value != shown:
            differing.setdefault(value, []).append(titles[name])
    if not differing:
        return shown
    text = "; ".join(f"{value} on {', '.join(names)}" for value, names in differing.items()) + "."
    return f"{shown} ({notes.setdefault(text, len(notes) + 1)})"


def symptoms(
    expected: Mapping[str, Any], seen: Mapping[str, Mapping[str, str | None]], aliases: Sequence[str]
) -> str:
    """Markdown: what one sees of each cell that does not work, by one environment's messages."""
    lines = []
    for row, description in expected["rows"].items():
        messages: dict[str, list[str]] = {}
        for alias in aliases:
            message = seen[alias].get(row)
            if message:
                messages.setdefault(_without_numbers(message), []).append(expected["columns"][alias])
        for message, columns in messages.items():
            lines.append(f"| {description['title']} | {', '.join(columns)} | {message} |")
    return "\n".join(["| | by | what one sees |", "| --- | --- | --- |", *lines]) + "\n"


def _without_numbers(message: str) -> str:
    """A message without what differs from run to run."""
    return re.sub(r"\d{4,}", "N", message).replace("|", "\\|")
