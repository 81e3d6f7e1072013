"""The tables of the documentation, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

WORKS, DIRECT, REFUSED = "works", "direct", "refused"
# environment -> alias -> row -> value; an alias that is refused there, and a row that is not there, are left out
Values = Mapping[str, Mapping[str, Mapping[str, str]]]


def table(expected: Mapping[str, Any], values: Values, titles: Mapping[str, str]) -> str:
    """Markdown: a line for each row, a column for each alias, and below them where environments differ.

    `titles` has the environments in their order with a text for each; the last one's value stands in the table.
    """
    notes: dict[str, int] = {}

    def mark(text: str) -> str:
        return f" ({notes.setdefault(text, len(notes) + 1)})"

    head = "| |"
    for alias, title in expected["columns"].items():
        without = [titles[name] for name in titles if alias not in values[name]]
        head += f" {title}{mark(f'{REFUSED} on {_and(without)}') if without else ''} |"
    lines = [head, "| --- |" + " --- |" * len(expected["columns"])]
    for row, description in expected["rows"].items():
        line = f"| {description['title']} |"
        for alias in expected["columns"]:
            found = {name: values[name][alias].get(row) for name in titles if alias in values[name]}
            *_, shown = (value for value in found.values() if value)
            others: dict[str, list[str]] = {}
            for name, value in found.items():
                if value and value != shown:
                    others.setdefault(value, []).append(titles[name])
            differing = "; ".join(f"{value} on {_and(names)}" for value, names in others.items())
            line += f" {shown}{mark(differing) if differing else ''} |"
        lines.append(line)
    return "\n".join([*lines, "", *(f"{number}. {text}." for text, number in notes.items())]) + "\n"


def symptoms(expected: Mapping[str, Any], seen: Mapping[str, Mapping[str, str | None]]) -> str:
    """Markdown: what one sees of each cell that does not work, by one environment's messages."""
    lines = ["| | By | What one sees |", "| --- | --- | --- |"]
    for row, description in expected["rows"].items():
        messages: dict[str, list[str]] = {}
        for alias, title in expected["columns"].items():
            message = seen[alias].get(row) if alias in seen else None
            if message:
                messages.setdefault(_without_numbers(message), []).append(title)
        for message, columns in messages.items():
            lines.append(f"| {description['title']} | {'; '.join(columns)} | {message} |")
    return "\n".join(lines) + "\n"


def _and(names: list[str]) -> str:
    return " and ".join(names)


def _without_numbers(message: str) -> str:
    """A message without what differs from run to run."""
    return re.sub(r"\d{4,}", "N", message).replace("|", "\\|")
