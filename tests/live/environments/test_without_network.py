"""Environments that are built before, carried over, kept and removed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from endpointd.admin.client import Client as Admin
from live.environments.conftest import HERE, PROJECT, Pond, becomes, index_of, kept, run, status
from support.eventually import eventually


def test_a_start_needs_no_packages_when_the_environment_is_there(pond: Pond, monkeypatch: pytest.MonkeyPatch) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    served.daemon.stop()
    for path in pond.packages.iterdir():
        path.unlink()
    monkeypatch.setenv("UV_CACHE_DIR", "/nowhere")
    again = pond.serve(offline=True)
    assert again.says("duck") == "version 1.0"
    assert not [event for event in again.daemon.events() if str(event["event"]).startswith("environment.")]


def test_what_was_built_before_is_used(pond: Pond) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    folder, state = pond.shop.plugins / "duck", pond.state
    done = run("env", "build", "--uv-find-links", pond.packages, "--state", state, folder)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "test/duck"), done.stderr
    assert " is built" in done.stdout
    assert " + duck==1.0" in done.stderr
    served = pond.serve()
    assert served.says("duck") == "version 1.0"
    assert not [event for event in served.daemon.events() if event["event"] == "environment.building"]
    assert " is there" in run("env", "build", "--state", state, folder).stdout


def test_what_cannot_be_built_before_is_told_and_the_others_are(pond: Pond) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    pond.put("goose", "goose==1.0")
    folders = [pond.shop.plugins / name for name in ("goose", "nowhere", "duck")]
    done = run("env", "build", "--uv-find-links", pond.packages, "--state", pond.state, *folders)
    assert done.returncode == 1
    assert "goose was not found" in done.stderr
    assert "nowhere is not a directory" in done.stderr
    assert "test/duck: the environment " in done.stdout


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_cache_that_is_carried_over_will_do(
    pond: Pond, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    folder = pond.shop.plugins / "duck"
    with index_of(pond.packages) as url:
        if is_locked:
            (folder / "requirements.txt").unlink()
            (folder / "pyproject.toml").write_text(PROJECT)
            subprocess.run([find_uv_bin(), "lock", "-q", "--default-index", url], cwd=folder, check=True)
        flags = ["--uv-index-url", url, "--uv-cache", tmp_path / "cache"]
        done = run("env", "build", *flags, "--state", tmp_path / "elsewhere", folder)
        assert done.returncode == 0, done.stderr
    carried = shutil.copytree(tmp_path / "cache", tmp_path / "carried", symlinks=True)
    served = pond.serve(offline=True, uv_index_url=url, uv_cache=carried)
    becomes(served, "RUNNING")
    assert served.says("duck") == "version 1.0"


def test_wheels_that_are_carried_over_will_do(pond: Pond, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    folder, state = pond.shop.plugins / "duck", pond.state
    done = run("env", "build", "--offline", "--uv-find-links", pond.packages, "--state", state, folder)
    assert done.returncode == 0, done.stderr
    served = pond.serve(offline=True)
    assert served.says("duck") == "version 1.0"
    assert not [event for event in served.daemon.events() if event["event"] == "environment.building"]


# Keeping


ANOTHER = """#!/bin/sh
exec {python} -c 'import json; print(json.dumps(
    dict(implementation="CPython", version=[{version}, 0], abi="another", platform="another")
))'
"""


def test_what_a_worker_runs_on_is_needed_though_the_next_one_gets_another(pond: Pond, tmp_path: Path) -> None:
    """An interpreter has come that goes before the one of now; the worker may have modules still to import."""
    coming = tmp_path / "python"
    pond.duck("1.0")
    pond.put("duck", "duck")
    served = pond.serve(python_interpreters=coming)
    becomes(served, "RUNNING")
    [made] = kept(served)
    coming.write_text(ANOTHER.format(python=sys.executable, version=HERE.replace(".", ", ")))
    coming.chmod(0o755)
    [listed] = json.loads(run("env", "list", "--json", "--state", served.state).stdout)
    assert (listed["key"], listed["plugins"]) == (made, ["test/duck"])
    assert json.loads(run("env", "prune", "--json", "--state", served.state).stdout) == []
    assert kept(served) == [made]


def test_what_nobody_needs_is_shown_and_removed(pond: Pond) -> None:
    for version in ("1.0", "2.0", "3.0", "4.0"):
        pond.duck(version)
    pond.put("duck", "duck==1.0")
    served = pond.serve(releases_kept=1)
    becomes(served, "RUNNING")
    for version in ("2.0", "3.0", "4.0"):
        pond.ask_for("duck", f"duck=={version}")
        served.comes_to_say("duck", f"version {version}", 30)
    eventually(lambda: len(status(served)["previous_releases"]) == 2)  # type: ignore[arg-type]
    listed = json.loads(run("env", "list", "--json", "--state", served.state).stdout)
    assert [one["plugins"] for one in listed] == [[], *[["test/duck"]] * 3]
    assert all(one["bytes"] > 10_000 for one in listed)
    shown = run("env", "list", "--state", served.state).stdout
    assert "4 environments" in shown
    assert "nobody" in shown
    would = run("env", "prune", "--dry-run", "--state", served.state).stdout
    assert "1 environment, " in would
    assert len(kept(served)) == 4
    gone = json.loads(run("env", "prune", "--json", "--state", served.state).stdout)
    assert [one["key"] for one in gone] == [listed[0]["key"]]
    assert kept(served) == sorted(one["key"] for one in listed[1:])
    with Admin(served.state) as admin:
        admin.act("rollback", "test/duck", {"release": None})
    assert served.says("duck") == "version 3.0"
