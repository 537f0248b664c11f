"""What a declarative file refers to is fetched, or told of by line, and never quoted."""

import os
from pathlib import Path

import pytest

from endpointd.endpoints.declared import DeclaredFile, read_declared
from endpointd.endpoints.resolving import resolve
from endpointd.endpoints.values import LARGEST
from support.processes import descriptors
from support.teller import SECRET


def read(reference: str) -> DeclaredFile:
    text = f"endpoints:\n- plugin: x\n  name: n\n  settings:\n    plain: text\n    token: {reference}\n"
    return read_declared(text.encode(), "endpoints.yaml")


def fetched(folder: Path, reference: str, environment: dict[str, str] | None = None) -> object:
    endpoints, findings = resolve(read(reference), "endpoints.yaml", folder, environment or {})
    assert findings == ()
    assert endpoints[0].settings["plain"] == "text"
    assert SECRET not in repr(endpoints)
    return endpoints[0].settings["token"]


def refused(folder: Path, reference: str, environment: dict[str, str] | None = None) -> str:
    """The code of the one error."""
    endpoints, findings = resolve(read(reference), "endpoints.yaml", folder, environment or {})
    (finding,) = findings
    assert (finding.file, finding.line, finding.key) == ("endpoints.yaml", 6, "endpoints[0].settings.token")
    assert finding.remedy
    assert SECRET not in f"{finding}{endpoints}"
    return finding.code


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (SECRET, SECRET),
        (f"{SECRET}\n", SECRET),
        (f"{SECRET}\r\n", SECRET),
        (f"{SECRET}\n\n", f"{SECRET}\n"),
        (f"{SECRET}\r", f"{SECRET}\r"),
        ("", ""),
        ("\N{DUCK}", "\N{DUCK}"),
    ],
)
def test_a_file_gives_its_text_without_the_last_line_break(tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_bytes(content.encode())
    assert fetched(tmp_path, "{file: secrets/token}") == text
    assert fetched(tmp_path / "elsewhere", f"{{file: {tmp_path}/secrets/token}}") == text


def test_a_variable_gives_its_text(tmp_path: Path) -> None:
    assert fetched(tmp_path, "{env: TOKEN}", {"TOKEN": f"{SECRET}\n"}) == f"{SECRET}\n"
    assert fetched(tmp_path, "{env: TOKEN}", {"TOKEN": ""}) == ""


def test_what_cannot_be_had_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff" + SECRET.encode())
    (tmp_path / "large").write_text(SECRET * LARGEST)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = descriptors(os.getpid())
    assert refused(tmp_path, "{env: TOKEN}", {"TOKE": SECRET}) == "variable_missing"
    assert refused(tmp_path, "{env: TOKEN}", {"TOKEN": f"\udcff{SECRET}"}) == "reference_encoding"
    for name in ("missing", "folder", "pipe", "/dev/zero", r'"nu\0l"', "latin/under"):
        assert refused(tmp_path, f"{{file: {name}}}") == "reference_unreadable"
    assert refused(tmp_path, "{file: latin}") == "reference_encoding"
    assert refused(tmp_path, "{file: large}") == "reference_too_large"
    assert descriptors(os.getpid()) == before
