"""`endpointd service …` where nothing may be changed. What it does on a machine with systemd is in tests/system."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from cli.conftest import Run
from endpointd.errors import OperatorError
from endpointd.service.machine import own_command, require_reach

HAS_SYSTEMD = Path("/run/systemd/system").is_dir()
needs_none = pytest.mark.skipif(HAS_SYSTEMD, reason="NOT TESTED: what is said without systemd, because this has it")


@needs_none
@pytest.mark.parametrize("arguments", [["install"], ["uninstall"], ["uninstall", "--purge", "--yes"]])
def test_without_systemd_nothing_is_done(run: Run, arguments: list[str]) -> None:
    done = run("service", *arguments)
    assert done.returncode == 1
    assert "systemd does not run this machine" in done.stderr
    assert "[service_without_systemd]" in done.stderr


@needs_none
def test_status_says_that_it_is_not_installed(run: Run) -> None:
    done = run("service", "status")
    assert done.returncode == 3
    assert "not installed" in done.stdout
    document = json.loads(run("service", "status", "--json").stdout)
    assert (document["installed"], document["enabled"]) == (False, False)


def test_all_files_are_shown(run: Run) -> None:
    shown = run("service", "show").stdout
    for path in (
        "/etc/systemd/system/endpointd.service",
        "/etc/sysusers.d/endpointd.conf",
        "/etc/endpointd/endpointd.toml",
    ):
        assert f"# {path}\n" in shown
    one = run("service", "show", "endpointd.socket").stdout
    assert one in shown
    assert "ListenStream=127.0.0.1:8080" in one
    assert "service_file_unknown" in run("service", "show", "endpointd.timer").stderr


def test_what_the_service_could_not_run_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(closed / "python"))
    with pytest.raises(OperatorError, match="service_out_of_reach"):
        require_reach()


def test_the_interpreter_that_a_link_leads_to_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "python").touch()
    (tmp_path / "python").symlink_to(home / "python")
    monkeypatch.setattr("endpointd.service.machine._HIDDEN", (home,))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(OperatorError, match=re.escape(f"cannot reach {home}/python")):
        require_reach()


def test_the_command_is_the_one_beside_the_interpreter() -> None:
    assert own_command() == (os.path.join(os.path.dirname(sys.executable), "endpointd"),)
