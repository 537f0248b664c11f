"""A file with faults of all stages: every one is told at once, with its line and in the order of the lines."""

from pathlib import Path

import pytest

from endpointd.endpoints.declaration import Declaration, DeclarationInvalid, load
from endpointd.manifest.values import Fault

WRONG = """\
endpoints:
  - plugin: acme/greeter
  - plugin: acme/greeter
    name: One
    hook_id: NO WAY
    settings:
      token: {env: ABSENT}
      app: 42
  - plugin: acme/greeter
    name: Two
    settings: none
"""


@pytest.fixture
def declaration(tmp_path: Path) -> Declaration:
    file = tmp_path / "endpoints.yaml"
    file.write_text(WRONG)
    return load(file, {})


def told(error: DeclarationInvalid) -> list[tuple[int | None, str | None, str]]:
    return [(one.line, one.key, one.code) for one in error.findings]


OWN = [
    (2, "endpoints[0].name", "key_missing"),
    (5, "endpoints[1].hook_id", "hook_id_invalid"),
    (7, "endpoints[1].settings.token", "variable_missing"),
    (11, "endpoints[2].settings", "wrong_type"),
]


def test_its_own_faults_are_told_together(declaration: Declaration) -> None:
    assert [one.name for one in declaration.endpoints] == ["One", "Two"]
    assert told(declaration.refused()) == OWN


def test_what_the_daemon_finds_is_told_with_them_where_it_stands_in_the_file(declaration: Declaration) -> None:
    judged = [Fault(f"endpoints[0].{key}", "code", "message", "remedy") for key in ("plugin", "settings.app")]
    assert told(declaration.refused(judged)) == sorted(
        [*OWN, (3, "endpoints[1].plugin", "code"), (8, "endpoints[1].settings.app", "code")]
    )


@pytest.mark.parametrize("key", ["endpoints[0].settings.token", "endpoints[1].settings.token"])
def test_what_the_daemon_was_not_given_because_of_a_fault_is_not_missing_too(
    declaration: Declaration, key: str
) -> None:
    assert told(declaration.refused([Fault(key, "value_missing", "it is missing", "give it")])) == OWN


@pytest.mark.parametrize("text", ["endpoints: [", "endpoints:\n  - {plugin: x}\n"])
def test_where_there_is_nothing_to_judge_it_is_refused_at_once(tmp_path: Path, text: str) -> None:
    file = tmp_path / "endpoints.yaml"
    file.write_text(text)
    with pytest.raises(DeclarationInvalid):
        load(file, {})
