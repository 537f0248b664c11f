"""`endpointd package`, `keygen`, `sign` and `verify`: one way from a folder to a package that somebody vouches for."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.packages import zipped
from support.plugins import write_plugin

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_plugin(tmp_path / "work", "duck", {"a.py": "A = 1"}, [("GET", "/", "a.py")])


def test_from_a_folder_to_a_package_that_somebody_vouches_for(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "notes.md").touch()
    (folder / ".difyignore").write_text("*.md")
    package, signed = tmp_path / "duck.difypkg", tmp_path / "duck.signed.difypkg"
    made = run("package", folder, "--output", package)
    assert (made.returncode, made.stderr.count("error")) == (0, 0)
    assert made.stdout.splitlines()[:2] == [
        f"{package}: 4 files, {package.stat().st_size} B",
        "left out: notes.md",
    ]
    identifier = made.stdout.splitlines()[2]

    assert run("keygen", tmp_path / "acme").returncode == 0
    assert run("sign", package, "--key", tmp_path / "acme.private.pem", "--category", "partner").returncode == 0
    key = tmp_path / "acme.public.pem"
    found = run("verify", signed, "--key", key)
    assert (found.returncode, found.stdout.splitlines()[-1]) == (0, f"signed as partner with the key {key}")

    # The exit status tells the truth: nobody vouches for these.
    for package_file, variables in ((package, {"ENDPOINTD_PACKAGE_KEYS": str(key)}), (signed, {})):
        found = run("verify", package_file, "--json", **variables)
        document = json.loads(found.stdout)
        assert (found.returncode, document["trusted"]) == (1, False)
    assert json.loads(run("verify", package, "--json").stdout)["identifier"] == identifier
    assert run("verify", signed, "--json", ENDPOINTD_PACKAGE_KEYS=str(key)).returncode == 0


@pytest.mark.parametrize("stem", [".", "/", ""])
def test_a_key_without_a_name_is_refused(run: Run, stem: str) -> None:
    outcome = run("keygen", stem)
    assert (outcome.returncode, outcome.stderr.count("[key_unnamed]")) == (2, 1)


def test_a_package_is_named_by_what_is_in_it(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = run("package", folder, "--json")

    assert json.loads(made.stdout)["package"] == "duck-0.1.0.difypkg"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["duck-0.1.0.difypkg", "work"]


def test_what_fails_leaves_nothing(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.yaml").unlink()
    outcome = run("package", folder, "--output", tmp_path / "duck.difypkg")

    assert (outcome.returncode, "plugin_invalid" in outcome.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(None, 2, "package_unreadable"), (b"x", 1, "package_invalid"), (zipped(("../x", b"")), 1, "package_unsafe")],
)
def test_what_is_no_package_is_told(content: bytes | None, status: int, code: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.difypkg"
    if content is not None:
        file.write_bytes(content)

    outcome = run("verify", file)
    assert (outcome.returncode, f"[{code}]" in outcome.stderr, outcome.stdout) == (status, True, "")
