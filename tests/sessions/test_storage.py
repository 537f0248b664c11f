"""`session.storage` of a plugin in a real worker, with the storage in memory."""

import os

from endpointd.testing import FakeSession, PluginClient
from sessions.conftest import Run

SET = "self.session.storage.set(r.args['key'], r.get_data())\nreturn Response()"
GET = "return Response(self.session.storage.get(r.args['key']))"
ANY = """\
storage = self.session.storage
try:
    if r.method == "POST":
        storage.set(r.args["key"], r.get_data())
        return Response(b"stored")
    if "delete" in r.args:
        storage.delete(r.args["key"])
        return Response(b"deleted")
    if "exist" in r.args:
        return Response(str(storage.exist(r.args["key"])))
    return Response(storage.get(r.args["key"]))
except Exception as error:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return Response(json.dumps([getattr(error, "code", None), str(error), kinds]), 400)
"""


def refusal(client: PluginClient, **request: object) -> tuple[str, str]:
    """The code and the text of what the plugin's call raises."""
    answer = client.open(**{"path": "/", **request})
    assert answer.status_code == 400, answer.data
    code, text, kinds = answer.get_json(force=True)
    assert "StorageInvocationError" in kinds
    return code, text


def test_what_is_set_is_there_until_it_is_deleted(run: Run) -> None:
    client = run(ANY)
    for value in (b"one", b"", bytes(range(256))):
        assert client.post("/?key=a", data=value).data == b"stored"
        assert client.get("/?key=a").data == value
    assert client.get("/?key=a&exist").data == b"True"
    assert client.get("/?key=a&delete").data == b"deleted"
    assert client.get("/?key=a&exist").data == b"False"


def test_a_missing_key_is_an_error_that_names_it(run: Run) -> None:
    client = run(ANY)
    for request in ("/?key=never", "/?key=never&delete"):
        code, text = refusal(client, path=request)
        assert code == "missing"
        assert "nothing is stored under the key 'never'" in text


def test_keys_are_any_text_within_bounds(run: Run) -> None:
    client = run(ANY)
    for key in ("ä/../ü", "a b", "k" * 256, "\0nul"):
        assert client.post("/", query_string={"key": key}, data=key.encode()).data == b"stored"
        assert client.get("/", query_string={"key": key}).data == key.encode()
    for key in ("", "k" * 257, "ü" * 129):
        code, text = refusal(client, method="POST", query_string={"key": key}, data=b"x")
        assert code == "invalid"
        assert "1 to 256 bytes" in text
    assert refusal(client, query_string={"key": ""})[0] == "missing"


def test_large_values_come_and_go_whole(run: Run) -> None:
    client = run(ANY)
    for size in (64 * 1024, 256 * 1024 - 1, 256 * 1024, 1024 * 1024, 1024 * 1024 + 1, 50 * 1024 * 1024):
        value = os.urandom(size)
        assert client.post("/?key=a", data=value).data == b"stored"
        assert client.get("/?key=a").data == value


def test_a_value_beyond_the_quota_changes_nothing(run: Run) -> None:
    client = run(ANY, storage={"enabled": True, "size": 2048})
    assert client.post("/?key=a", data=bytes(1000)).data == b"stored"
    assert client.post("/?key=b", data=bytes(1000)).data == b"stored"
    code, text = refusal(client, method="POST", path="/?key=b", data=bytes(1049))
    assert code == "quota"
    assert "test/probe may store 2048 bytes in all, of which 1048 are free for this value of 1049" in text
    assert client.get("/?key=b").data == bytes(1000)
    # What a value replaces is room for it.
    assert client.post("/?key=b", data=bytes(1048)).data == b"stored"
    # Too large whatever is there: it is not even sent.
    assert refusal(client, method="POST", path="/?key=b", data=bytes(10_000_000))[0] == "quota"


def test_what_was_stored_under_a_larger_quota_can_be_read(run: Run) -> None:
    session = FakeSession(stored={"a": bytes(3_000_000)})
    client = run(ANY, session, storage={"enabled": True, "size": 2048})
    assert client.get("/?key=a").data == bytes(3_000_000)
    assert refusal(client, method="POST", path="/?key=a", data=bytes(2049))[0] == "quota"
    assert client.post("/?key=a", data=bytes(2048)).data == b"stored"


def test_without_the_permission_it_is_denied(run: Run) -> None:
    client = run(ANY, storage={"enabled": False})
    code, text = refusal(client, method="POST", path="/?key=a", data=b"x")
    assert code == "denied"
    assert "the manifest of test/probe does not ask for storage" in text
    assert "write storage: {enabled: true}" in text


def test_a_test_sees_and_gives_what_is_stored(run: Run) -> None:
    session = FakeSession(stored={"a": b"before"})
    client = run(ANY, session)
    assert client.get("/?key=a").data == b"before"
    client.post("/?key=b", data=b"after")
    assert session.stored == {"a": b"before", "b": b"after"}


def test_only_bytes_are_stored(run: Run) -> None:
    client = run("self.session.storage.set('a', 'text')")
    assert client.get("/").status_code == 500
    assert "a value to be stored is bytes, not str; encode it first" in client.log()


HUNDRED = """\
import threading
storage, wrong, barrier = self.session.storage, [], threading.Barrier(100)
def work(number):
    barrier.wait()
    value = f"{number}".encode() * 5000
    storage.set(f"k{number}", value)
    if storage.get(f"k{number}") != value:
        wrong.append(number)
threads = [threading.Thread(target=work, args=(n,)) for n in range(100)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
return Response(json.dumps(wrong))
"""


def test_a_hundred_threads_call_at_once(run: Run) -> None:
    session = FakeSession()
    assert run(HUNDRED, session).get("/").get_json(force=True) == []
    assert len(session.stored) == 100


SCORES = HUNDRED.replace("range(100)", "range(300)").replace("Barrier(100)", "Barrier(300)")


def test_more_calls_than_may_be_open_wait_for_each_other(run: Run) -> None:
    assert run(SCORES).get("/").get_json(force=True) == []
