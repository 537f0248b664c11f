"""Plugins that ask for packages, in a daemon that serves: what clients and operators see of the builds."""

import socket
from pathlib import Path

import pytest

from live.environments.conftest import HERE, VERSIONS, Pond, becomes, is_a_version, kept, run, status
from support.eventually import eventually
from support.load import Load
from support.raw_http import ask
from support.wheels import wheel


def test_a_plugin_gets_what_it_asks_for_and_the_daemon_is_ready_meanwhile(pond: Pond, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pond.slow_duck("1.0", gate)
    pond.put("duck", "duck==1.0")
    pond.shop.put("goose", "quick")
    served = pond.serve()
    assert served.says("goose") == "quick"
    assert status(served)["state"] == "BUILDING"
    eventually(lambda: "Building duck==1.0" in str(status(served)["building"]))
    shown = run("status", "duck", "--state", served.state).stdout
    assert "BUILDING" in shown
    assert "Building duck==1.0" in shown
    answer = ask(served.url, "/e/duck/")
    assert (answer.status, answer.code, answer.all("retry-after")) == (503, "plugin_building", ["5"])
    gate.touch()
    becomes(served, "RUNNING")
    assert served.says("duck") == "version 1.0"
    events = {event["event"] for event in served.daemon.events()}
    assert {"plugin.building", "environment.building", "environment.progress", "environment.built"} <= events
    assert "plugin.not_served" not in events
    assert "Built duck" in run("logs", "duck", "--state", served.state).stdout


def test_a_change_of_what_it_asks_for_loses_no_request(pond: Pond, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pond.duck("1.0")
    pond.slow_duck("2.0", gate)
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    with Load(served.url, "/e/duck/", is_a_version, 4) as load:
        pond.ask_for("duck", "duck==2.0")
        eventually(lambda: "environment of a new worker" in str(status(served)["replacing"]))
        assert served.says("duck") == "version 1.0"
        gate.touch()
        served.comes_to_say("duck", "version 2.0", 30)
    assert load.wrong == {}
    assert len(kept(served)) == 2


def test_a_build_that_fails_leaves_the_old_version_alone_and_shows_uvs_words(pond: Pond) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    before = kept(served)
    with Load(served.url, "/e/duck/", is_a_version, 2) as load:
        pond.ask_for("duck", "duck==7.0")
        served.daemon.wait_for_log("environment_failed", 20)
        eventually(lambda: status(served)["failure"] is not None)
    assert load.wrong == {}
    found = status(served)
    failure = found["failure"]
    assert isinstance(failure, dict)
    assert (found["state"], failure["code"]) == ("RUNNING", "environment_failed")
    assert "there is no version of duck==7.0" in failure["message"]
    assert any(line.startswith("error: No solution found") for line in failure["lines"])
    assert kept(served) == before


def test_a_first_version_that_cannot_be_built_is_fatal_until_it_asks_for_something_else(pond: Pond) -> None:
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "FATAL")
    pond.duck("2.0")
    pond.ask_for("duck", "duck==2.0")
    served.comes_to_say("duck", "version 2.0", 30)


def test_requirements_that_cannot_be_understood_refuse_the_folder(pond: Pond) -> None:
    pond.put("duck", "six is good")
    served = pond.serve()
    assert "requirements.txt:1: 'six is good' is no requirement" in str(status(served)["findings"])


def test_where_no_interpreter_fits_it_is_told_what_was_found(pond: Pond) -> None:
    pond.put("duck", "duck")
    manifest = pond.shop.plugins / "duck" / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace(f"'{HERE}'", "'3.99'"))
    served = pond.serve()
    failure = becomes(served, "FATAL")["failure"]
    assert isinstance(failure, dict)
    assert failure["code"] == "interpreter_missing"
    assert f"found: {HERE}" in failure["message"]


def test_plugins_with_equal_needs_share_an_environment(pond: Pond) -> None:
    pond.duck("1.0")
    for name in ("duck", "mallard", "teal"):
        pond.put(name, f"duck==1.0  # {name}")
    served = pond.serve()
    for name in ("duck", "mallard", "teal"):
        becomes(served, "RUNNING", name)
    assert len(kept(served)) == 1
    built = [event for event in served.daemon.events() if event["event"] == "environment.built"]
    assert len(built) == 1


# Pins of what the worker needs


def test_a_plugin_may_pin_an_msgpack_that_is_of_no_use_to_the_worker(pond: Pond) -> None:
    """It has nothing of msgpack but the name, so that a worker that took it would end at once."""
    wheel(pond.packages, "msgpack", "0.6.2", {"msgpack/__init__.py": "version = 'of the plugin'"})
    wheel(pond.packages, "duck", "1.0", {"duck.py": "import msgpack\nsays = str(msgpack.version)"}, ["msgpack==0.6.2"])
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    assert served.says("duck") == "of the plugin"


@pytest.fixture
def pypi(pond: Pond, monkeypatch: pytest.MonkeyPatch) -> Pond:
    """With the real packages."""
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    try:
        with socket.create_connection(("pypi.org", 443), timeout=5):
            pass
    except OSError:
        pytest.skip("PyPI cannot be reached: which real versions workers run with is NOT TESTED")
    return pond


def test_workers_run_with_every_werkzeug_and_msgpack_that_the_documents_promise(pypi: Pond) -> None:
    pins = {
        "oldest": "werkzeug==2.1.2\nmsgpack==1.0.5",
        "older": "werkzeug==2.3.8\nmsgpack==1.0.8",
        "old": "werkzeug==3.0.6",
        "newest": "werkzeug\nmsgpack",
        "private": "werkzeug==3.1.3\nmsgpack==0.6.2",
    }
    expected = {}
    for name, lines in pins.items():
        pypi.put(name, lines)
        (pypi.shop.plugins / name / "says.py").write_text(VERSIONS)
        expected[name] = [line.partition("==")[2] for line in lines.split("\n")]
    served = pypi.serve(uv_find_links=None)
    for name, versions in expected.items():
        becomes(served, "RUNNING", name)
        answer = ask(served.url, f"/e/{name}/")
        assert answer.status == 200, served.daemon.log()
        found = dict(zip(answer.body.decode().split(), versions, strict=False))
        assert all(actual == pinned or not pinned for actual, pinned in found.items()), (name, found)
        assert answer.all("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
