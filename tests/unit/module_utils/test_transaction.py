"""Files that change together, killed at every single step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.djangoops.pooling.plugins.module_utils import _transaction as transaction
from ansible_collections.djangoops.pooling.plugins.module_utils._transaction import (
    File,
    Transaction,
    staged_references,
)

OLD = {"ini": "old ini", "userlist": "old secret", "process-2": "old process"}
NEW = {"ini": "new ini", "userlist": "new secret", "hba": "new rules"}
OTHER = {"ini": "other ini", "userlist": "old secret", "hba": "other rules"}


class Killed(BaseException):
    """The process is gone."""


def files(directory: Path, texts: dict[str, str], mode: int = 0o640) -> list[File]:
    return [
        File(
            f"{directory}/{name}", text.encode(), mode, os.geteuid(), os.getegid(), secret=name == "userlist"
        )
        for name, text in texts.items()
    ]


def begin(directory: Path, texts: dict[str, str]) -> Transaction:
    return Transaction(f"{directory}/state/journal", files(directory, texts), [f"{directory}/process-*"])


def contents(directory: Path) -> dict[str, str]:
    """Everything that lies in the directory, hidden files too."""
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    for file in files(tmp_path, OLD):
        transaction._write(file)
    return tmp_path


def complete(directory: Path, texts: dict[str, str]) -> None:
    change = begin(directory, texts)
    change.keep()
    change.swap()
    change.finish()


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, Callable[[], None]], bool]]:
    """Run something and kill it before its n-th look at or change of the disk; tells whether it lived that long."""

    def run(step: int, what: Callable[[], None]) -> bool:
        left = step

        def counted(call: Callable[..., object]) -> Callable[..., object]:
            def wrapper(*args: object, **kwargs: object) -> object:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return call(*args, **kwargs)

            return wrapper

        with monkeypatch.context() as patch:
            for name in ("open", "replace", "fsync", "fchmod", "makedirs"):
                patch.setattr(os, name, counted(getattr(os, name)))
            patch.setattr(transaction, "_remove", counted(transaction._remove))
            try:
                what()
            except Killed:
                return True
        return False

    yield run


def test_all_files_change_and_what_is_owned_and_not_wanted_goes(directory: Path) -> None:
    assert begin(directory, NEW).changed == [
        f"{directory}/{name}" for name in ("ini", "userlist", "hba", "process-2")
    ]
    complete(directory, NEW)
    assert contents(directory) == NEW
    assert not list((directory / "state").iterdir())
    assert begin(directory, NEW).changed == []


def test_mode_alone_is_a_change(directory: Path) -> None:
    (directory / "ini").chmod(0o666)
    change = begin(directory, OLD)
    assert change.changed == [f"{directory}/ini"]
    assert "(mode 0666" in change.diff()[0]["before"] and "(mode 0640" in change.diff()[0]["after"]
    complete(directory, OLD)
    assert (directory / "ini").stat().st_mode & 0o777 == 0o640


def test_roll_back_restores_every_file(directory: Path) -> None:
    (directory / "ini").chmod(0o600)
    change = begin(directory, NEW)
    change.keep()
    assert change.stood(f"{directory}/process-2") and not change.stood(f"{directory}/hba")
    change.swap()
    assert contents(directory) == NEW
    change.roll_back()
    assert contents(directory) == OLD
    assert (directory / "ini").stat().st_mode & 0o777 == 0o600
    assert not begin(directory, OLD).unfinished


@pytest.mark.parametrize("after", ["forward", "elsewhere", "elsewhere and back", "back"])
def test_killed_at_any_step(
    directory: Path, killed_at: Callable[[int, Callable[[], None]], bool], after: str
) -> None:
    """The next run, whatever it wants, ends as an undisturbed one, and one that cannot go on goes back."""
    step, half_done = 0, 0
    while killed_at(step, lambda: complete(directory, NEW)):
        step += 1
        left = {name: text for name, text in contents(directory).items() if not name.startswith(".")}
        if left != OLD:
            half_done += 1
            # with the journal gone, what stands there was complete
            assert left == NEW or begin(directory, NEW).unfinished
        if after == "forward":
            complete(directory, NEW)
            assert contents(directory) == NEW
        elif after == "elsewhere":
            complete(directory, OTHER)
            assert contents(directory) == OTHER
        elif after == "elsewhere and back":
            change = begin(directory, OTHER)
            was_unfinished = change.unfinished
            change.keep()
            change.swap()
            change.roll_back()
            # the last proven state, not what the killed run had made of it
            assert contents(directory) == (OLD if was_unfinished else left)
        elif (change := begin(directory, OTHER)).unfinished:
            # it may be killed on the way back as well
            inner = 0
            while killed_at(inner, lambda: begin(directory, OTHER).roll_back()):
                inner += 1
            assert contents(directory) == OLD
            assert not begin(directory, OTHER).unfinished
        else:
            assert left in (OLD, NEW)
            change.tidy()
        assert not list((directory / "state").iterdir())
        for path in directory.iterdir():
            if path.is_file():
                path.unlink()
        for file in files(directory, OLD):
            transaction._write(file)
    assert step > 15 and half_done > 5


def test_no_secret_in_the_diff(directory: Path) -> None:
    shown = {os.path.basename(diff["after_header"]): diff for diff in begin(directory, NEW).diff()}
    assert (shown["ini"]["before"], shown["ini"]["after"]) == ("old ini", "new ini")
    assert shown["hba"]["before"] == "" and shown["hba"]["after"].startswith("new rules")
    assert shown["userlist"]["before"] != shown["userlist"]["after"]
    assert "secret" not in shown["userlist"]["before"] + shown["userlist"]["after"]
    # nobody says any more what a file is that goes
    assert "old process" not in shown["process-2"]["before"]


def test_no_secret_is_ever_readable_by_others(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, moved = [], []
    fchown, replace = os.fchown, os.replace

    def seen_written(descriptor: int, uid: int, gid: int) -> None:
        written.append(os.fstat(descriptor).st_mode & 0o077)
        fchown(descriptor, uid, gid)

    def seen_moved(source: str, target: str) -> None:
        moved.append(os.stat(source).st_mode & 0o007)
        replace(source, target)

    monkeypatch.setattr(os, "fchown", seen_written)
    monkeypatch.setattr(os, "replace", seen_moved)
    change = begin(directory, NEW)
    change.keep()
    change.swap()
    # until it has its owner, nobody else reads what is written
    assert written and not any(written)
    assert moved and not any(moved)
    assert os.stat(directory / "state/journal").st_mode & 0o777 == 0o600


def test_staged_files_refer_to_each_other(tmp_path: Path) -> None:
    text = "auth_file = /etc/a\n%include /etc/b\nauth_hba_file=/etc/a.old\nlogfile = /var/log/x\n[/etc/a]\n"
    wanted = [
        File(path, text.encode(), 0o600, os.geteuid(), os.getegid())
        for path in ("/etc/a", "/etc/b", "/etc/a.old")
    ]
    Transaction(f"{tmp_path}/journal", wanted).stage(str(tmp_path))
    assert (tmp_path / "etc/b").read_text() == (
        f"auth_file = {tmp_path}/etc/a\n%include {tmp_path}/etc/b\nauth_hba_file={tmp_path}/etc/a.old\n"
        "logfile = /var/log/x\n[/etc/a]\n"
    )


def test_a_value_that_merely_contains_a_path_stays() -> None:
    text = b"app = password='x = /etc/a'\nkey = /etc/a/b\n"
    assert staged_references(text, "/run/new", ["/etc/a"]) == text
