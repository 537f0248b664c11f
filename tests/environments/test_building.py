"""Environments that uv builds: what is in them, who shares them, and what is left when it does not come to one."""

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from time import monotonic

import pytest
from uv import find_uv_bin

from endpointd.environments.shelf import Shelf, Workplace
from endpointd.supervisor.worker import StartFailed, WorkerOrder
from environments.conftest import Workshop
from support.eventually import eventually
from support.processes import is_running
from support.wheels import source_distribution, wheel

WAITS = """
import pathlib, subprocess, time
gate = pathlib.Path("{gate}")
gate.with_name("begun").touch()
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
gate.with_name("pid").write_text(str(child.pid))
while not gate.exists():
    time.sleep(0.01)
child.kill(); child.wait()
"""
"""The build of a package that waits until the gate is there, with a child that has left its group."""


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout.strip()


def asked(python: Path, expression: str) -> str:
    """What an interpreter prints that is started as workers are."""
    return said(str(python), "-I", "-c", f"print({expression})")


async def until(path: Path) -> None:
    """Wait until it is there."""
    await asyncio.to_thread(eventually, path.exists)


def failing(order: WorkerOrder, workshop: Workshop) -> StartFailed:
    """How its build fails."""
    failures = []

    async def scenario() -> None:
        with pytest.raises(StartFailed) as caught:
            await workshop.build(order)
        failures.append(caught.value)

    workshop.play(scenario)
    return failures[0]


# What is built


def test_the_plugins_packages_are_there_and_what_the_worker_needs(workshop: Workshop) -> None:
    wheel(workshop.packages, "duck", "1.0", {"duck.py": "says = 'quack'"})
    order = workshop.order("duck==1.0")

    async def scenario() -> None:
        assert await workshop.environments.find(order) is None
        python = await workshop.build(order)
        assert await workshop.environments.find(order) == python
        assert python.is_relative_to(workshop.root)
        assert asked(python, "__import__('duck').says") == "quack"
        assert asked(python, "__import__('werkzeug').__name__, __import__('msgpack').__name__") == "werkzeug msgpack"
        assert asked(python, "'pytest' in [m.name for m in __import__('pkgutil').iter_modules()]") == "False"

    workshop.play(scenario)
    assert " + duck==1.0" in workshop.lines


def test_modules_are_compiled_when_it_is_built(workshop: Workshop) -> None:
    wheel(workshop.packages, "duck", "1.0", {"duck.py": "says = 'quack'"})

    async def scenario() -> None:
        python = await workshop.build(workshop.order("duck"))
        assert list(python.parents[1].glob("lib/python*/site-packages/__pycache__/duck.*.pyc"))

    workshop.play(scenario)


def test_a_lock_says_exactly_which(workshop: Workshop) -> None:
    for version in ("1.0", "2.0"):
        wheel(workshop.packages, "duck", version, {"duck.py": f"version = '{version}'"})
    project = '[project]\nname = "pond"\nversion = "0.1"\nrequires-python = ">=3.11"\ndependencies = ["duck"]\n'
    bench = workshop.folder / "bench"
    bench.mkdir()
    (bench / "pyproject.toml").write_text(project.replace('"duck"', '"duck<2"'))
    environ = {**os.environ, "UV_FIND_LINKS": str(workshop.packages), "UV_CACHE_DIR": str(workshop.cache / "lock")}
    subprocess.run([find_uv_bin(), "lock", "-q"], cwd=bench, env=environ, check=True)
    lock = (bench / "uv.lock").read_text()

    async def scenario() -> None:
        python = await workshop.build(workshop.order({"pyproject.toml": project, "uv.lock": lock}, "locked"))
        assert asked(python, "__import__('duck').version") == "1.0"
        python = await workshop.build(workshop.order({"pyproject.toml": project}, "free"))
        assert asked(python, "__import__('duck').version") == "2.0"

    workshop.play(scenario)
    assert len(workshop.there()) == 2


def test_packages_may_come_from_the_plugins_own_folder(workshop: Workshop) -> None:
    order = workshop.order("./lib/duck-1.0-py3-none-any.whl")
    (order.folder / "lib").mkdir()
    wheel(order.folder / "lib", "duck", "1.0", {"duck.py": "says = 'quack'"})
    before = sorted(order.folder.rglob("*"))

    async def scenario() -> None:
        assert asked(await workshop.build(order), "__import__('duck').says") == "quack"

    workshop.play(scenario)
    assert sorted(order.folder.rglob("*")) == before


def test_what_is_added_for_the_worker_changes_nothing_of_the_plugins(workshop: Workshop) -> None:
    wheel(workshop.packages, "markupsafe", "1.0", {"markupsafe.py": "version = '1.0'"})
    wheel(workshop.packages, "werkzeug", "2.1.0", {"werkzeug.py": "version = '2.1.0'"})

    async def scenario() -> None:
        # The newest werkzeug would need another markupsafe.
        python = await workshop.build(workshop.order("markupsafe==1.0"))
        assert asked(python, "__import__('markupsafe').version, __import__('werkzeug').version") == "1.0 2.1.0"

    workshop.play(scenario)


def test_programs_of_packages_know_their_place(workshop: Workshop) -> None:
    name = wheel(workshop.packages, "duck", "1.0", {"duck.py": "def main(): print('quack')"})
    with zipfile.ZipFile(name, "a") as archive:
        archive.writestr("duck-1.0.dist-info/entry_points.txt", "[console_scripts]\nduck = duck:main\n")

    async def scenario() -> None:
        python = await workshop.build(workshop.order("duck"))
        assert said(str(python.with_name("duck"))) == "quack"

    workshop.play(scenario)


def test_the_configuration_of_a_folder_above_is_not_the_plugins(workshop: Workshop) -> None:
    (workshop.folder / "pyproject.toml").write_text('[tool.uv]\nindex-strategy = "nonsense"\n')
    (workshop.folder / "uv.toml").write_text("nonsense = true\n")
    wheel(workshop.packages, "duck", "1.0", {"duck.py": ""})

    async def scenario() -> None:
        await workshop.build(workshop.order("duck", "a"))
        project = '[project]\nname = "pond"\nversion = "0.1"\ndependencies = ["duck"]\n'
        await workshop.build(workshop.order({"pyproject.toml": project}, "b"))

    workshop.play(scenario)


def test_what_was_changed_meanwhile_is_not_built_under_the_old_name(workshop: Workshop) -> None:
    for name in ("duck", "goose"):
        wheel(workshop.packages, name, "1.0", {f"{name}.py": ""})
    order = workshop.order("duck")
    (order.folder / "requirements.txt").write_text("goose")
    assert "was changed before" in failing(order, workshop).message
    assert workshop.there() == []
    (order.folder / "requirements.txt").write_text("duck  # as before")

    async def scenario() -> None:
        await workshop.build(order)

    workshop.play(scenario)


def test_what_another_process_has_built_meanwhile_is_left_alone(workshop: Workshop) -> None:
    gate = workshop.folder / "gate"
    source_distribution(workshop.packages, "duck", "1.0", WAITS.format(gate=gate))
    order = workshop.order("duck")

    async def scenario() -> None:
        build = asyncio.create_task(workshop.build(order))
        await until(workshop.folder / "begun")
        key = await workshop.environments.key_of(order)
        theirs = workshop.root / str(key)
        (theirs / "bin").mkdir(parents=True)
        (theirs / "bin" / "python").symlink_to(sys.executable)
        (theirs / "endpointd.json").write_text("{}")
        gate.touch()
        assert await build == theirs / "bin" / "python"
        assert (theirs / "endpointd.json").read_text() == "{}"

    workshop.play(scenario)


# Who shares them


def test_plugins_with_equal_needs_share_one_build(workshop: Workshop) -> None:
    gate = workshop.folder / "gate"
    source_distribution(workshop.packages, "duck", "1.0", WAITS.format(gate=gate))
    orders = [workshop.order("duck  # one", "a"), workshop.order("\nduck", "b"), workshop.order("duck", "c")]

    async def scenario() -> None:
        builds = [asyncio.create_task(workshop.build(order)) for order in orders]
        await until(workshop.folder / "begun")
        # One that does not want it any more takes nothing from the others.
        builds.pop().cancel()
        gate.touch()
        one, other = await asyncio.gather(*builds)
        assert one == other

    workshop.play(scenario)
    assert len(workshop.there()) == 1
    assert len([line for line in workshop.lines if line.startswith("uv builds it")]) == len(orders)


def test_at_most_two_are_built_at_once_and_the_third_says_that_it_waits(workshop: Workshop) -> None:
    gates = [workshop.folder / name / "gate" for name in ("a", "b", "c")]
    for number, gate in enumerate(gates):
        gate.parent.mkdir()
        source_distribution(workshop.packages, f"duck{number}", "1.0", WAITS.format(gate=gate))
    orders = [workshop.order(f"duck{number}", f"plugin{number}") for number in range(3)]

    async def scenario() -> None:
        builds = [asyncio.create_task(workshop.build(order)) for order in orders]
        await until(gates[0].with_name("begun"))
        await until(gates[1].with_name("begun"))
        assert "waits until other environments are built" in workshop.lines
        assert len(workshop.left()) == 2
        gates[0].touch()
        await until(gates[2].with_name("begun"))
        gates[1].touch()
        gates[2].touch()
        await asyncio.gather(*builds)

    workshop.play(scenario)
    assert len(workshop.there()) == 3


# What does not come to one


@pytest.mark.parametrize("is_log_behind", [False, True])
def test_a_failure_has_uvs_words_and_leaves_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, is_log_behind: bool
) -> None:
    monkeypatch.setattr("endpointd.logs.logs.is_behind", lambda: is_log_behind)
    failure = failing(workshop.order("no-such-duck==1.0"), workshop)
    assert (failure.code, failure.lasting) == ("environment_failed", True)
    assert "no-such-duck" in failure.message
    assert workshop.there() == []


def test_a_package_whose_build_fails_is_told_with_its_words(workshop: Workshop) -> None:
    source_distribution(workshop.packages, "duck", "1.0", 'raise RuntimeError("no compiler for ducks")')
    failure = failing(workshop.order("duck"), workshop)
    assert failure.code == "environment_failed"
    assert any("no compiler for ducks" in line for line in workshop.lines)


def test_a_build_that_takes_too_long_is_ended_with_all_that_it_started(workshop: Workshop) -> None:
    source_distribution(workshop.packages, "duck", "1.0", WAITS.format(gate=workshop.folder / "gate"))
    failure = failing(workshop.order("duck", clock=8.0), workshop)
    assert (failure.code, failure.lasting) == ("environment_timeout", False)
    assert "was not built within 8 s (clock_build)" in failure.message
    assert not is_running(int((workshop.folder / "pid").read_text()))


def test_who_waits_for_a_place_is_not_timed(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = workshop.folder / "gate"
    source_distribution(workshop.packages, "duck", "1.0", WAITS.format(gate=gate))
    wheel(workshop.packages, "goose", "1.0", {"goose.py": ""})
    slow, quick = workshop.order("duck", "slow", clock=0.0), workshop.order("goose", "quick", clock=30.0)

    async def scenario() -> None:
        first = asyncio.create_task(workshop.build(slow))
        await until(workshop.folder / "begun")
        second = asyncio.create_task(workshop.build(quick))
        await asyncio.to_thread(eventually, lambda: any("waits" in line for line in workshop.lines))
        # A clock that ran meanwhile would have run out now.
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: monotonic() + 40)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not second.done()
        gate.touch()
        await asyncio.gather(first, second)

    workshop.play(scenario, at_once=1)


def test_a_build_that_nobody_wants_any_more_is_ended_with_all_that_it_started(workshop: Workshop) -> None:
    source_distribution(workshop.packages, "duck", "1.0", WAITS.format(gate=workshop.folder / "gate"))

    async def scenario() -> None:
        build = asyncio.create_task(workshop.build(workshop.order("duck")))
        await until(workshop.folder / "pid")
        build.cancel()
        await asyncio.wait({build})
        assert build.cancelled()

    workshop.play(scenario)
    assert workshop.there() == []
    assert not is_running(int((workshop.folder / "pid").read_text()))


def test_it_can_be_wanted_again_at_once(workshop: Workshop) -> None:
    gate = workshop.folder / "gate"
    source_distribution(workshop.packages, "duck", "1.0", WAITS.format(gate=gate))
    order = workshop.order("duck")

    async def scenario() -> None:
        build = asyncio.create_task(workshop.build(order))
        await until(workshop.folder / "begun")
        build.cancel()
        gate.touch()
        await workshop.build(order)

    workshop.play(scenario)
    assert len(workshop.there()) == 1


def test_an_environment_whose_interpreter_is_gone_is_built_anew(workshop: Workshop) -> None:
    wheel(workshop.packages, "duck", "1.0", {"duck.py": ""})
    order = workshop.order("duck")

    async def scenario() -> None:
        python = await workshop.build(order)
        python.unlink()
        python.symlink_to("/nowhere/python3")
        assert await workshop.environments.find(order) is None
        assert await workshop.build(order) == python
        assert asked(python, "__import__('duck').__name__") == "duck"

    workshop.play(scenario)


def test_no_password_reaches_a_command_line_or_a_message(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:s3cret@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    failure = failing(workshop.order("no-such-duck"), workshop)
    assert failure.code == "environment_unreachable"
    assert not failure.lasting
    assert "s3cret" not in failure.message + "".join(workshop.lines)


def test_a_password_that_a_build_tells_is_not_passed_on(workshop: Workshop) -> None:
    source_distribution(workshop.packages, "duck", "1.0", 'raise RuntimeError("https://me:s3cret@index.example/")')
    failure = failing(workshop.order("duck"), workshop)
    said = failure.message + "".join(workshop.lines)
    assert "********@index.example" in said
    # The line of the source that raised it is quoted too.
    assert "s3cret" not in said


# What is kept


def test_what_is_there_is_listed_and_what_nobody_uses_is_removed(workshop: Workshop) -> None:
    for name in ("duck", "goose"):
        wheel(workshop.packages, name, "1.0", {f"{name}.py": "x = " + repr("x" * 100_000)})
    orders = [workshop.order("duck", "a"), workshop.order("goose", "b")]

    async def scenario() -> None:
        for order in orders:
            await workshop.build(order)
        duck, goose = await workshop.environments.stored()
        assert (duck.record.source, duck.record.first) == ("requirements.txt", str(orders[0].folder))
        assert duck.bytes > goose.bytes > 100_000
        assert [one.key for one in await workshop.environments.prune([goose.key])] == [duck.key]
        assert workshop.there() == [goose.key]
        assert await workshop.environments.find(orders[0]) is None

    workshop.play(scenario)


def test_what_was_being_built_by_somebody_who_was_killed_is_removed(workshop: Workshop) -> None:
    shelf = Shelf(workshop.root)
    (workshop.root / ".dead-1" / "env").mkdir(parents=True)
    (workshop.root / "whole").mkdir()
    alive = Workplace(workshop.root, "alive").open()
    shelf.clean()
    assert [path.name for path in workshop.root.iterdir() if path.name != "whole"] == [alive.path.name]
    alive.remove()


def test_a_record_that_is_spoilt_hides_nothing_else(workshop: Workshop) -> None:
    for name, text in (("a", "{"), ("b", json.dumps({"python": 1})), ("c", "[]")):
        (workshop.root / name).mkdir(parents=True)
        (workshop.root / name / "endpointd.json").write_text(text)
    assert Shelf(workshop.root).stored() == []
