"""Which interpreter a plugin gets, what an environment is called, and what is added for the worker."""

from dataclasses import replace
from pathlib import Path

import pytest

from endpointd.environments.additions import Additions, additions_to
from endpointd.environments.failures import EnvironmentFailed, explained, without_credentials
from endpointd.environments.interpreters import Interpreter, choose, key_of
from endpointd.environments.needs import Needs, Source


def python(version: str, path: str | None = None) -> Interpreter:
    major, minor, micro = map(int, version.split("."))
    abi = f"cpython-{major}{minor}-x86_64-linux-gnu"
    return Interpreter(Path(path or f"/bin/python{version}"), (major, minor, micro), abi, "linux-x86_64")


MACHINE = [python(version) for version in ("3.12.1", "3.9.2", "3.11.7", "3.13.0", "3.12.4")]


def needs(runner: str | None = None, requires: str | None = None) -> Needs:
    return Needs(Source.PROJECT, "d" * 64, (), runner, requires)


@pytest.mark.parametrize(
    ("runner", "requires", "version"),
    [
        (None, None, "3.12.1"),
        ("3.11", None, "3.11.7"),
        ("3.12", None, "3.12.1"),
        ("3.12.4", None, "3.12.1"),
        ("3.13", None, "3.13.0"),
        ("3.9", None, "3.11.7"),
        ("3", None, "3.12.1"),
        ("newest", None, "3.12.1"),
        (None, ">=3.13", "3.13.0"),
        (None, "<3.12", "3.11.7"),
        ("3.12", ">=3.13", "3.13.0"),
        ("3.12", ">=3.11,<3.12", "3.11.7"),
        ("3.14", ">=3.11", "3.13.0"),
        ("3.12", "==3.12.4", "3.12.4"),
    ],
)
def test_the_interpreter_that_fits_best(runner: str | None, requires: str | None, version: str) -> None:
    assert choose(MACHINE, needs(runner, requires)) == next(one for one in MACHINE if str(one).startswith(version))


@pytest.mark.parametrize(
    ("runner", "requires", "words"),
    [
        ("3.14", None, "no Python interpreter fits runner.version '3.14'"),
        (None, ">=3.14", "no Python interpreter fits requires-python '>=3.14'"),
        (None, "<3.11", "no Python interpreter fits requires-python '<3.11'"),
        ("3.14", ">3.13.0", "fits requires-python '>3.13.0' and runner.version '3.14'"),
    ],
)
def test_where_none_fits_it_is_told_what_was_found(runner: str | None, requires: str | None, words: str) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        choose(MACHINE, needs(runner, requires))
    assert caught.value.code == "interpreter_missing"
    assert caught.value.lasting
    assert words in caught.value.message
    for one in MACHINE:
        assert str(one) in caught.value.message


def test_where_there_is_none_that_is_told() -> None:
    with pytest.raises(EnvironmentFailed, match=r"fits Python 3\.11 or newer; found: none"):
        choose([], needs())


# The key


def test_a_key_does_not_depend_on_where_things_are_or_on_the_patch_of_the_interpreter() -> None:
    one, other = python("3.12.1", "/usr/bin/python3.12"), python("3.12.4", "/opt/python/bin/python3")
    assert key_of(needs("3.12"), one, 0) == key_of(needs(None, ">=3.11"), other, 0)


def test_a_key_depends_on_all_that_matters() -> None:
    usual, one = needs(), python("3.12.1")
    keys = [
        key_of(usual, one, 0),
        key_of(replace(usual, digest="e" * 64), one, 0),
        key_of(usual, python("3.13.0"), 0),
        key_of(usual, replace(one, abi="cpython-312t"), 0),
        key_of(usual, replace(one, platform="linux-aarch64"), 0),
        key_of(usual, one, 1000),
    ]
    assert len(set(keys)) == len(keys)


# What is added


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({}, Additions(("werkzeug>=2.1", "msgpack>=1.0"), ())),
        ({"six": "1.0"}, Additions(("werkzeug>=2.1", "msgpack>=1.0"), ())),
        ({"Werkzeug": "3.1.3"}, Additions(("msgpack>=1.0",), ())),
        ({"Werkzeug": "2.1.0", "msgpack": "1.0.0"}, Additions()),
        ({"Werkzeug": "4.0.0a1", "MsgPack": "1.0.8rc1"}, Additions()),
        ({"werkzeug": "3.1.3", "msgpack": "0.6.2"}, Additions((), ("msgpack>=1.0",))),
    ],
)
def test_what_is_added_for_the_worker(installed: dict[str, str], expected: Additions) -> None:
    assert additions_to(installed) == expected


def test_a_werkzeug_that_will_not_do_is_told() -> None:
    with pytest.raises(EnvironmentFailed, match=r"it pins werkzeug 2\.0\.3, and workers need werkzeug>=2\.1") as caught:
        additions_to({"Werkzeug": "2.0.3"})
    assert (caught.value.code, caught.value.lasting) == ("worker_needs_unmet", True)


# Failures


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (
            ["Using Python 3.12.1", "error: No solution found", "  cause: Because six is not there."],
            "environment_failed",
            "could not be built: No solution found: Because six is not there",
        ),
        (["error: Failed to fetch: x", "  cause: dns error"], "environment_unreachable", "fetched: Failed to fetch: x"),
        (["error: x", "  Caused by: HTTP status server error (503)"], "environment_unreachable", "server error"),
        (["error: x", "  cause: HTTP status client error (403 Forbidden)"], "environment_failed", "403"),
        (["error: failed to write", "  cause: No space left on device (os error 28)"], "environment_disk_full", "28"),
        ([], "environment_failed", "could not be built: uv was killed by SIGKILL (out of memory?)"),
        (["thread 'main' panicked", "at a.rs:1"], "environment_failed", "could not be built: at a.rs:1"),
    ],
)
def test_what_uv_said_becomes_an_error(lines: list[str], code: str, words: str) -> None:
    error = explained(lines, "was killed by SIGKILL (out of memory?)")
    assert error.code == code
    assert words in error.message
    assert error.lasting == (code == "environment_failed")


def test_words_without_end_are_cut() -> None:
    assert len(explained(["error: " + "x" * 10_000], "").message) < 1000


@pytest.mark.parametrize("url", ["https://me:s3cret@host/x", "https://s3cret@host/x"])
def test_no_password_is_shown(url: str) -> None:
    assert without_credentials(f"error: Failed to fetch: {url}!") == "error: Failed to fetch: https://********@host/x!"
