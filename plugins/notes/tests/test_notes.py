"""The notes, in a worker whose storage is the test's."""

from endpointd.testing import FakeSession, PluginLoader


def test_a_note_is_kept_read_and_removed(load_plugin: PluginLoader) -> None:
    client = load_plugin()
    assert client.get("/milk").status_code == 404
    assert client.put("/milk", data="two bottles").status_code == 204
    assert client.put("/bread", data=b"\xff\x00").status_code == 204
    assert client.get("/milk").text == "two bottles"
    assert client.get("/bread").data == b"\xff\x00"
    assert client.get("/").get_json() == ["bread", "milk"]
    assert client.delete("/milk").status_code == 204
    assert client.delete("/milk").status_code == 404
    assert client.get("/").get_json() == ["bread"]


def test_notes_outlive_the_worker(load_plugin: PluginLoader) -> None:
    session = FakeSession()
    load_plugin(session=session).put("/milk", data="two bottles")
    assert session.stored == {"note:milk": b"two bottles", "names": b'["milk"]'}
    assert load_plugin(session=session).get("/milk").text == "two bottles"


def test_what_has_no_room_is_not_kept(load_plugin: PluginLoader) -> None:
    client = load_plugin(session=FakeSession(stored={"note:old": bytes(60_000)}))
    answer = client.put("/new", data=bytes(6_000))
    assert answer.status_code == 507
    assert "of which 5536 are free" in answer.text
    assert client.get("/").get_json() == []


def test_a_name_has_bounds(load_plugin: PluginLoader) -> None:
    assert load_plugin().put("/" + "n" * 51, data="x").status_code == 400
