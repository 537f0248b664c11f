"""The fixture `load_plugin`, with real workers: what its client can do, and what a plugin needs to be loaded."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.testing import PluginLoader
from support.plugins import write_plugin
from support.probe import TEXT, probe

EXAMPLES = Path(__file__).parents[1] / "plugins"


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[PluginLoader]:
    """One whose end the test brings about itself."""
    loader = PluginLoader(tmp_path / "test_nothing.py")
    yield loader
    loader.stop_all()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("worker of")]


# Requests


def test_a_request_reaches_the_plugin_as_it_was_made(load_plugin: PluginLoader) -> None:
    client = load_plugin(EXAMPLES / "echo")
    answer = client.put(
        "/a%2Fb/%C3%A9?x=1&x=2",
        data=b"hello",
        content_type="text/plain",
        headers={"X-Tag": "one", "Dify-Hook-Id": "forged"},
        environ_overrides={"REMOTE_ADDR": "203.0.113.7"},
    )
    told = answer.get_json()
    assert told["method"] == "PUT"
    assert told["url"]["raw"] == "/e/echo/a%2Fb/%C3%A9?x=1&x=2"
    assert (told["url"]["script_root"], told["url"]["path"]) == ("/e/echo", "/a/b/é")
    assert told["query"]["parsed"] == [["x", "1"], ["x", "2"]]
    assert (told["client"]["remote_addr"], told["url"]["host"]) == ("203.0.113.7", "localhost")
    assert (told["body"]["content_type"], told["body"]["preview"]) == ("text/plain", "hello")
    assert told["endpoint"]["hook_url"] == "http://localhost/e/echo/a%2Fb/%C3%A9"
    headers = dict(told["headers"])
    assert (headers["X-Tag"], headers["Content-Length"]) == ("one", "5")
    assert [value for name, value in told["headers"] if name == "Dify-Hook-Id"] == ["echo"]


def test_a_path_that_is_only_decoded_is_encoded(load_plugin: PluginLoader) -> None:
    client = load_plugin(EXAMPLES / "echo")
    assert client.get("/a b/é?q").get_json()["url"]["raw"] == "/e/echo/a%20b/%C3%A9?q"


def test_what_the_client_of_werkzeug_can_works(load_plugin: PluginLoader) -> None:
    client = load_plugin(EXAMPLES / "echo")
    client.set_cookie("sid", "abc")
    told = client.post("/", data={"note": "hi", "file": (EXAMPLES / "echo" / "main.py").open("rb")}).get_json()
    assert told["cookies"] == [["sid", "abc"]]
    assert (told["form"], told["files"][0]["filename"]) == ([["note", "hi"]], str(EXAMPLES / "echo" / "main.py"))
    assert client.get("/", query_string={"a": "b"}).get_json()["query"]["raw"] == "a=b"


def test_a_large_body_goes_and_comes_whole(load_plugin: PluginLoader, tmp_path: Path) -> None:
    body = os.urandom(5 * 1024 * 1024)
    client = load_plugin(probe(tmp_path, "return Response(r.stream)"))
    assert client.post("/", data=body).data == body


def test_routes_are_the_daemons(load_plugin: PluginLoader, tmp_path: Path) -> None:
    client = load_plugin(probe(tmp_path, "return Response(r.path)"))
    assert client.get("/nowhere").get_json()["code"] == "interface_unknown"
    refused = client.put("/")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert client.get("/below?x=1").headers["Location"] == "/e/probe/below/?x=1"
    assert client.get("/below", follow_redirects=True).text == "/below/"
    assert client.get("", follow_redirects=True).text == "/"
    assert load_plugin(EXAMPLES / "duck").get("?x=1").headers["Location"] == "/e/duck/?x=1", "whatever rules it has"
    head = client.head("/below/")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "7")


def test_redirects_of_the_plugin_are_followed_inside_it(load_plugin: PluginLoader, tmp_path: Path) -> None:
    body = 'return redirect(r.args["to"]) if r.args else Response(r.path)'
    client = load_plugin(probe(tmp_path, body))
    assert client.get("/?to=/e/probe/below/", follow_redirects=True).text == "/below/"
    assert client.get("http://localhost/e/probe/below/").text == "/below/"
    outside = client.get("/?to=/login", follow_redirects=True)
    assert (outside.status_code, outside.get_json()["code"]) == (404, "path_unknown")


# Settings


def test_settings_have_defaults_and_can_be_given(load_plugin: PluginLoader) -> None:
    usual = load_plugin(EXAMPLES / "echo").get("/").get_json()["endpoint"]["settings"]
    given = load_plugin(EXAMPLES / "echo", settings={"pretty": False}).get("/").get_json()["endpoint"]["settings"]
    assert (usual, given) == ({"pretty": True, "note": ""}, {"pretty": False, "note": ""})


def test_a_default_will_do_for_a_required_setting(load_plugin: PluginLoader, tmp_path: Path) -> None:
    folder = probe(tmp_path, 'return Response(settings["text"])', {"text": {**TEXT, "required": True, "default": "x"}})
    assert load_plugin(folder).get("/").text == "x"


def test_settings_that_cannot_be_given_are_all_told(loader: PluginLoader, tmp_path: Path) -> None:
    folder = probe(tmp_path, "return Response()", {"token": {**TEXT, "required": True}, "text": TEXT})
    with pytest.raises(AssertionError) as caught:
        loader(folder, settings={"text": 1, "tokn": "x"})
    first, *faults = str(caught.value).splitlines()
    assert first == "these settings cannot be given to test/probe:"
    assert [fault.partition(":")[0] for fault in faults] == ["token", "text", "tokn"]
    assert "give a text [value_missing]" in faults[0]
    assert not threads()


def test_variables_are_given_to_the_worker_alone(load_plugin: PluginLoader, tmp_path: Path) -> None:
    client = load_plugin(probe(tmp_path, 'return Response(os.environ["PROBE"])'), env={"PROBE": "given"})
    assert client.get("/").text == "given"
    assert "PROBE" not in os.environ


# Loading


def test_files_that_are_wrong_are_told_with_place_and_remedy(loader: PluginLoader, tmp_path: Path) -> None:
    folder = probe(tmp_path, "return Response()")
    group = folder / "group.yaml"
    group.write_text(group.read_text().replace("method: GET", "method: get", 1))
    with pytest.raises(AssertionError, match=r"group.yaml:\d+: .*method: .*'get'.*; write GET \[method_unknown\]"):
        loader(folder)


def test_code_that_does_not_load_is_told_with_its_traceback(loader: PluginLoader, tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, "broken", {"broken.py": "x = 1\n1 / 0\n"}, [("GET", "/", "broken.py")])
    with pytest.raises(AssertionError) as caught:
        loader(folder)
    text = str(caught.value)
    assert "broken.py:2: extra.python.source: " in text
    assert "ZeroDivisionError" in text
    assert not threads()


def test_a_worker_that_dies_in_loading_is_told(loader: PluginLoader, tmp_path: Path) -> None:
    source = "import os\nprint('last words', flush=True)\nos._exit(3)\n"
    folder = write_plugin(tmp_path, "dying", {"dying.py": source}, [("GET", "/", "dying.py")])
    with pytest.raises(AssertionError, match=r"exited with status 3(?s:.*)last words"):
        loader(folder)


def test_the_folder_is_that_of_the_test(tmp_path: Path) -> None:
    folder = probe(tmp_path, "return Response(r.path)")
    own = PluginLoader(folder / "tests" / "deep" / "test_probe.py")
    try:
        assert own().get("/").text == "/"
    finally:
        own.stop_all()


def test_a_test_in_no_plugin_has_to_name_one(loader: PluginLoader) -> None:
    with pytest.raises(AssertionError, match=r"no folder above .*test_nothing.py has a manifest.yaml"):
        loader()


def test_it_costs_nothing_unless_it_is_used() -> None:
    script = """\
import pytest, sys
before = set(sys.modules)
import endpointd.testing
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "['endpointd', 'endpointd.testing']\n"
