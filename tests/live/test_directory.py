"""Plugins that come, change, move and go in the directory of a daemon that runs."""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from endpointd.admin.client import Client as Admin
from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop, source
from support.eventually import eventually
from support.gates import Gate
from support.raw_http import Client, ask, plain

Serve = Callable[..., Served]

SOON = 1.0
"""Seconds from the last change of a folder to its first answer, as promised."""

BUSY = 1.5
"""Seconds more that a machine may need which has other tests to do."""


def errors(served: Served) -> list[str]:
    return [event["event"] for event in served.daemon.events() if event["level"] in ("error", "critical")]


@pytest.mark.parametrize("watch", ["auto", "poll"])
def test_a_folder_that_appears_is_served_soon(serve: Serve, shop: Shop, watch: str) -> None:
    served = serve(watch=watch)
    assert served.says("duck") == "endpoint_unknown"
    shop.put("duck", "quack")
    assert served.comes_to_say("duck", "quack") < SOON + BUSY + (watch == "poll")
    assert errors(served) == []


def test_a_folder_that_is_copied_file_by_file_is_served_when_it_is_whole(serve: Serve, shop: Shop) -> None:
    served = serve()
    made = shop.make("duck", "quack")
    shutil.copytree(made, shop.plugins / "duck")
    assert served.comes_to_say("duck", "quack") < SOON + BUSY
    assert errors(served) == []


def test_a_half_copied_folder_is_neither_loaded_nor_reported(serve: Serve, shop: Shop) -> None:
    served = serve()
    made = shop.make("duck", "quack")
    target = shop.plugins / "duck"
    target.mkdir()
    shutil.copy(made / "manifest.yaml", target)
    shop.put("goose", "honk")
    # The goose came later; when it is served, the duck's folder has been looked at and found wanting.
    served.comes_to_say("goose", "honk")
    assert served.says("duck") == "endpoint_unknown"
    assert errors(served) == []
    for file in made.iterdir():
        shutil.copy(file, target)
    assert served.comes_to_say("duck", "quack") < SOON + BUSY
    assert errors(served) == []


def test_a_broken_folder_is_reported_in_the_end_and_served_when_it_is_mended(serve: Serve, shop: Shop) -> None:
    served = serve()
    made = shop.make("duck", "quack")
    (made / "group.yaml").unlink()
    made.rename(shop.plugins / "duck")
    line = served.daemon.wait_for_log("folder.refused")
    assert "group.yaml" in line
    shutil.copy(shop.make("duck", "quack") / "group.yaml", shop.plugins / "duck")
    served.comes_to_say("duck", "quack")


def test_the_daemons_own_state_among_the_plugins_is_none_of_them(
    start_daemon: DaemonStarter, shop: Shop, tmp_path: Path
) -> None:
    shop.put("duck", "quack")
    (tmp_path / "same").symlink_to(shop.plugins)
    state = shop.plugins / "state"
    served = Served(start_daemon(tmp_path / "same", state=state), state)
    assert served.says("duck") == "quack"
    (state / "new").mkdir()
    (state / "new" / "file").write_text("changed")
    shop.put("goose", "honk")
    served.comes_to_say("goose", "honk")
    with Admin(state) as admin:
        assert [document["folder"] for document in admin.plugins()] == ["duck", "goose"]
    assert errors(served) == []


def hostile(shop: Shop) -> None:
    """Folders at which a daemon may stumble."""
    patterns = {"rabbit": "[z-a]\n", "hare": "*a*a*a*a*a*a*a*a*a*a*b\n"}
    for name, lines in patterns.items():
        made = shop.make(name, "hop")
        (made / ("a" * 200)).touch()
        (made / ".difyignore").write_text(lines)
        made.rename(shop.plugins / name)
    (shop.plugins / "nowhere").symlink_to("a" * 300)
    # Even the superuser of a container may not follow this.
    (shop.plugins / "forbidden").symlink_to("/proc/1/cwd/nowhere")


@pytest.mark.parametrize("watch", ["auto", "poll"])
def test_no_folder_keeps_the_others_from_being_served(serve: Serve, shop: Shop, watch: str) -> None:
    shop.put("duck", "quack")
    served = serve(watch=watch)
    hostile(shop)
    for name in ("rabbit", "hare"):
        served.comes_to_say(name, "hop")
    assert "cannot be read" in served.daemon.wait_for_log('"folder": "nowhere"')
    shop.edit("duck", "QUACK")
    served.comes_to_say("duck", "QUACK")


def test_a_daemon_starts_with_any_folder(serve: Serve, shop: Shop) -> None:
    hostile(shop)
    served = serve()
    served.comes_to_say("rabbit", "hop")
    served.comes_to_say("hare", "hop")


def test_an_edit_takes_over_and_nothing_that_an_editor_does_beside_it_counts(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "quack")
    served = serve()
    assert served.says("duck") == "quack"
    for name in (".says.py.swp", "4913", "says.py~", "#says.py#"):
        (shop.plugins / "duck" / name).write_text("noise")
    (shop.plugins / "duck" / "__pycache__").mkdir()
    (shop.plugins / "duck" / "__pycache__" / "says.pyc").write_text("noise")
    shop.edit("duck", "quack quack")
    assert served.comes_to_say("duck", "quack quack") < SOON + BUSY
    assert served.daemon.log().count('"worker.switched"') == 1


def test_those_in_the_queue_go_to_the_version_that_takes_over(serve: Serve, shop: Shop, tmp_path: Path) -> None:
    """By its own interfaces, which are in another order here."""
    shop.put("duck", "quack")
    served = serve(concurrency=1)
    with Gate(tmp_path / "gate") as gate, Gate(tmp_path / "arrived") as arrived, ExitStack() as stack:
        holder, *others = [stack.enter_context(Client(served.url)) for _ in range(4)]
        holder.send(plain(f"/e/duck/wait?gate={gate.path}&arrived={arrived.path}"))
        arrived.wait()
        for client in others:
            client.send(plain("/e/duck/"))
        with Admin(served.state) as admin:
            eventually(lambda: admin.plugins()[0]["queued"] == len(others))
        made = shop.make("duck", "quack quack")
        group = yaml.safe_load((made / "group.yaml").read_text())
        group["endpoints"].reverse()
        (made / "group.yaml").write_text(yaml.safe_dump(group))
        (shop.plugins / "duck").rename(tmp_path / "away")
        made.rename(shop.plugins / "duck")
        assert [client.read().body for client in others] == [b"quack quack"] * len(others)
        gate.open()
        assert holder.read().body == b"waited"
    assert errors(served) == []


def test_a_removed_folder_is_a_404_that_says_so(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "quack")
    served = serve()
    assert served.says("duck") == "quack"
    shop.remove("duck")
    served.comes_to_say("duck", "plugin_removed")
    assert ask(served.url, "/e/duck/").status == 404
    served.daemon.wait_for_log('"worker.ended"')
    shop.put("duck", "back")
    served.comes_to_say("duck", "back")


def test_what_is_open_at_a_removed_folder_finishes(serve: Serve, shop: Shop, tmp_path: Path) -> None:
    shop.put("duck", "quack")
    served = serve()
    with Gate(tmp_path / "gate") as gate, Client(served.url) as client:
        client.send(plain(f"/e/duck/wait?gate={gate.path}&chunk=10"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"x" * 10
        shop.remove("duck")
        served.comes_to_say("duck", "plugin_removed")
        gate.open()
        assert b"".join(pieces) == b"last"
    served.daemon.wait_for_log('"worker.ended"')


def test_a_renamed_folder_is_the_same_plugin(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "quack")
    served = serve()
    (shop.plugins / "duck").rename(shop.plugins / "bird")
    shop.put("goose", "honk")
    served.comes_to_say("goose", "honk")
    assert served.says("duck") == "quack"
    log = served.daemon.log()
    assert "plugin.removed" not in log
    assert log.count('"worker.ready"') == 2
    assert errors(served) == []


def test_of_two_folders_with_one_plugin_the_second_is_refused_by_name(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "first", "zzz")
    served = serve()
    shop.put("duck", "second", "aaa")
    line = served.daemon.wait_for_log("folder.refused")
    assert "'zzz'" in line
    assert "'aaa'" in line
    assert served.says("duck") == "first"
    shop.remove("zzz")
    served.comes_to_say("duck", "second")


def test_a_linked_folder_is_followed(serve: Serve, shop: Shop) -> None:
    one, two = shop.make("duck", "one", "duck-1"), shop.make("duck", "two", "duck-2")
    link = shop.plugins / "duck"
    link.symlink_to(one)
    served = serve()
    assert served.says("duck") == "one"
    (one / "says.py").write_text(source("one, edited"))
    served.comes_to_say("duck", "one, edited")
    link.with_name("new").symlink_to(two)
    os.replace(link.with_name("new"), link)
    served.comes_to_say("duck", "two")


def test_a_plugin_of_many_files_is_replaced_once(serve: Serve, shop: Shop) -> None:
    made = shop.put("duck", "quack")
    served = serve()
    (made / "data").mkdir()
    for number in range(500):
        (made / "data" / f"{number}.txt").write_text(str(number))
    shop.edit("duck", "many")
    served.comes_to_say("duck", "many")
    assert served.daemon.log().count('"worker.switched"') == 1


def test_a_directory_that_vanishes_takes_nothing_with_it(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "quack")
    served = serve()
    away = shop.plugins.with_name("away")
    shop.plugins.rename(away)
    served.daemon.wait_for_log("plugins.unreadable", timeout=60)
    assert served.says("duck") == "quack"
    away.rename(shop.plugins)
    shop.edit("duck", "after")
    served.comes_to_say("duck", "after", seconds=60)


def test_what_runs_is_a_copy(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "quack")
    served = serve(watch="off")
    shop.edit("duck", "not seen")
    os.kill(int(served.daemon.wait_for_log('"worker.ready"').partition('"pid": ')[2].partition(",")[0]), 9)
    served.daemon.wait_for_log('"worker.failed"')
    served.comes_to_say("duck", "quack")


def test_in_development_the_folder_itself_runs(serve: Serve, shop: Shop) -> None:
    made = shop.put("duck", "quack")
    served = serve(development=True)
    (made / "says.py").write_text(source("x").replace("'x'", "__file__"))
    eventually(lambda: served.says("duck") == str(made / "says.py"))


@pytest.mark.parametrize("fault", ["syntax", "dies", "exits at import"])
def test_a_version_that_does_not_run_leaves_the_old_one_serving(serve: Serve, shop: Shop, fault: str) -> None:
    shop.put("duck", "quack")
    served = serve()
    file = shop.plugins / "duck" / "says.py"
    file.write_text(
        {
            "syntax": "def broken(:\n",
            "dies": source("never") + "\nimport os, threading\nthreading.Timer(0.05, os._exit, [3]).start()\n",
            "exits at import": "raise SystemExit(3)\n",
        }[fault]
    )
    line = served.daemon.wait_for_log('"worker.failed"')
    assert '"kept_serving": true' in line
    eventually(lambda: served.says("duck") == "quack", 1)
    shop.edit("duck", "mended")
    served.comes_to_say("duck", "mended")


def test_what_no_worker_can_be_told_is_refused_and_no_defect(
    start_daemon: DaemonStarter, shop: Shop, tmp_path: Path
) -> None:
    shop.put("duck", "quack")
    daemon = start_daemon(shop.plugins, state=tmp_path / "st\udce4te")
    assert "[path_encoding]" in daemon.wait_for_log('"folder.refused"')
    assert [event["event"] for event in daemon.events() if event["level"] == "critical"] == []
