"""The manuals say what the code does: defaults of the roles, documentation and examples of the filters."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.plugins.filter import core

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
FILTERS = sorted(path.stem for path in ROOT.glob("plugins/filter/*.py"))
COLLECTION = "djangoops.pooling"


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def entry_points(role: str) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    return result


def defaults(role: str) -> dict[str, Any]:
    path = f"roles/{role}/defaults/main.yml"
    return (load(path) or {}) if (ROOT / path).exists() else {}


def options(specification: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Every option with its path, those below other options included."""
    result = {}
    for name, option in (specification.get("options") or {}).items():
        result[path + name] = option
        result |= options(option, f"{path}{name}.")
    return result


def test_every_role_has_argument_specs() -> None:
    assert sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir()) == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_documented_with_its_value(role: str) -> None:
    """A Jinja expression is compared as text."""
    documented = entry_points(role)["main"]["options"]
    assert defaults(role) == {
        name: option["default"] for name, option in documented.items() if "default" in option
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_default_is_of_its_type(role: str) -> None:
    types = {"dict": dict, "list": list, "int": int, "bool": bool, "str": str, "path": str, "float": float}
    for name, option in entry_points(role)["main"]["options"].items():
        assert option["type"] in types, name
        if "default" in option:
            assert type(option["default"]) is types[option["type"]], name
            assert not option.get("required"), name


@pytest.mark.parametrize("role", ROLES)
def test_names_carry_the_role(role: str) -> None:
    names = {
        name for specification in entry_points(role).values() for name in specification.get("options") or {}
    }
    assert all(name.startswith(f"{role}_") for name in names | defaults(role).keys())


@pytest.mark.parametrize("role", ROLES)
def test_everything_is_described(role: str) -> None:
    for name, specification in entry_points(role).items():
        assert specification["short_description"] and specification["description"], name
        for path, option in options(specification).items():
            texts = option.get("description")
            assert texts, f"{name}: {path}"
            assert all(isinstance(text, str) for text in ([texts] if isinstance(texts, str) else texts)), path


@pytest.fixture(params=FILTERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def plugin(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.filter.{name}")


def documented(name: str) -> dict[str, Any]:
    result: dict[str, Any] = yaml.safe_load(plugin(name).DOCUMENTATION)
    return result


def test_a_filter_is_documented(name: str) -> None:
    document = documented(name)
    assert document["name"] == name
    for key in ("short_description", "version_added", "author", "description"):
        assert document[key], key
    for path, option in options(document).items():
        assert option.get("description"), path
        assert option.get("type"), path
    returned = yaml.safe_load(plugin(name).RETURN)
    assert list(returned) == ["_value"]
    assert returned["_value"]["description"] and returned["_value"]["type"]
    assert list(plugin(name).FilterModule().filters()) == [name]


def test_a_filter_takes_what_is_documented(name: str) -> None:
    """The same names in the same order, required where there is no default, and the same defaults."""
    document = documented(name)
    [_first, *arguments] = inspect.signature(plugin(name).FilterModule().filters()[name]).parameters.values()
    written = {key: option for key, option in document["options"].items() if key != "_input"}
    assert [argument.name for argument in arguments] == list(written)
    positional = [key.strip() for key in (document.get("positional") or "").split(",") if key.strip()]
    assert positional == list(written)[: len(positional)]
    for argument in arguments:
        option = written[argument.name]
        if argument.default is inspect.Parameter.empty:
            assert option["required"] is True, argument.name
        else:
            assert not option.get("required"), argument.name
            # a default that nobody can change is a tuple in Python and a list in YAML
            default = list(argument.default) if isinstance(argument.default, tuple) else argument.default
            assert option.get("default") == default, argument.name


def evaluate(expression: str, variables: dict[str, Any]) -> Any:
    """The value of "{{ ... }}", with the filters under their full names; variables may be expressions too."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters |= core.FilterModule().filters()
    environment.filters |= {
        f"{COLLECTION}.{name}": plugin(name).FilterModule().filters()[name] for name in FILTERS
    }
    values = {
        key: evaluate(value, {**variables, key: None})
        if isinstance(value, str) and value.startswith("{{")
        else value
        for key, value in variables.items()
    }
    return environment.compile_expression(expression.strip().removeprefix("{{").removesuffix("}}"))(**values)


def examples(name: str) -> list[tuple[str, dict[str, Any], str]]:
    """Expression, variables and stated result of the tasks that print one."""
    result = []
    for text in re.split(r"^(?=- name:)", plugin(name).EXAMPLES, flags=re.MULTILINE):
        stated = re.search(r"# Should result in:?(.*(?:\n +#.*)*)", text)
        task = yaml.safe_load(text)
        if stated and "ansible.builtin.debug" in task[0]:
            comment = re.sub(r"^ +# ?", "", stated[1].strip(" "), flags=re.MULTILINE)
            result.append((task[0]["ansible.builtin.debug"]["msg"], task[0]["vars"], comment))
    return result


@pytest.mark.parametrize(
    ("expression", "variables", "stated"), [example for name in FILTERS for example in examples(name)]
)
def test_an_example_has_the_stated_result(expression: str, variables: dict[str, Any], stated: str) -> None:
    """The comment is a mapping as YAML, or has each part of the result in its order, with other words between."""
    result = evaluate(expression, variables)
    if isinstance(result, dict):
        assert result == yaml.safe_load(stated)
    else:
        given = result.splitlines() if isinstance(result, str) else [str(part) for part in result]
        parts = [" ".join(part.split()) for part in given if part.strip()]
        assert parts
        rest = " ".join(stated.split())
        for part in parts:
            assert part in rest
            rest = rest.partition(part)[2]


def test_examples_are_found() -> None:
    assert sum(len(examples(name)) for name in FILTERS) >= 9


def test_an_example_is_a_task_with_full_names(name: str) -> None:
    tasks = yaml.safe_load(plugin(name).EXAMPLES)
    assert tasks
    for task in tasks:
        assert task["name"]
        assert f"{COLLECTION}.{name}" in yaml.safe_dump(task, width=1000)
