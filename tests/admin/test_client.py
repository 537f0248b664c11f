"""The client: which daemon it looks for, and what it says when there is none that answers."""

import io
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpointd.admin import client as client_module
from endpointd.admin import location
from endpointd.admin.client import Client
from endpointd.admin.location import SERVICE, find_state
from endpointd.errors import OperatorError, UsageError
from support.fake_control import AdminHost, FakeControl

# Where it is looked for


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, and nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("ENDPOINTD_"):
            monkeypatch.delenv(name)
    return tmp_path


def configuration(folder: Path, text: str) -> Path:
    file = folder / "endpointd.toml"
    file.write_text(text)
    return file


def test_what_is_more_plainly_said_wins(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_state(None, None) == SERVICE
    (here / "state").mkdir()
    assert find_state(None, None) == SERVICE
    (here / "state" / "lock").touch()
    assert find_state(None, None) == Path("state")
    monkeypatch.setenv("ENDPOINTD_CONFIG", str(configuration(here, 'state = "named"')))
    assert find_state(None, None) == here / "named"
    other = here / "other"
    other.mkdir()
    assert find_state(None, configuration(other, 'state = "named"')) == other / "named"
    monkeypatch.setenv("ENDPOINTD_STATE", "from-the-environment")
    assert find_state(None, configuration(other, 'state = "named"')) == Path("from-the-environment")
    assert find_state(Path("flag"), None) == Path("flag")


def test_a_file_without_a_state_says_nothing(here: Path) -> None:
    assert find_state(None, configuration(here, "queue_size = 1")) == SERVICE


def test_the_file_of_the_service_is_asked_last(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location, "SERVICE_CONFIG", configuration(here, 'state = "elsewhere"'))
    assert find_state(None, None) == here / "elsewhere"
    configuration(here, "state = nonsense")
    assert find_state(None, None) == SERVICE


def test_a_file_that_cannot_be_read_is_an_error(here: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the configuration file"):
        find_state(None, here / "none.toml")


# Nobody there


def refused(state: Path) -> OperatorError:
    with pytest.raises(OperatorError) as caught, Client(state) as client:
        client.daemon()
    return caught.value


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "endpointd.sock"))
    return tmp_path


def test_where_no_daemon_runs_the_directory_and_the_ways_to_name_another_are_told(tmp_path: Path, stale: Path) -> None:
    for state in (tmp_path / "missing", stale):
        error = refused(state)
        assert (error.code, str(state) in error.message) == ("daemon_absent", True)
        assert "--state" in error.remedy
        assert "ENDPOINTD_STATE" in error.remedy


def test_an_empty_directory_has_no_daemon(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "daemon_absent"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("group", [None, "root"])
def test_who_may_not_is_told_who_may(group: str | None) -> None:
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as name, AdminHost(Path(name), FakeControl(), admin_group=group):
        state = Path(name)
        said = as_nobody(lambda: str(refused(state)))
    assert "you may not control the daemon" in said
    assert "the user root" in said
    assert ("the group root" in said) is (group is not None)
    assert said.endswith("[daemon_forbidden]")


def as_nobody(ask: Callable[[], str]) -> str:
    """What `ask` gives in a child that is the user 65534."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(write, ask().encode())
        except BaseException as error:  # noqa: BLE001 - there is nobody else to tell
            os.write(write, repr(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as answer:
        return answer.read()


# Somebody there who does not answer as a daemon does


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """A state directory whose daemon gives these bytes as its answer, and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    threads = []

    def answer(data: bytes) -> Path:
        listener.bind(str(tmp_path / "endpointd.sock"))
        listener.listen()

        def serve() -> None:
            asked = b""
            # A client first sees whether somebody is there.
            while not asked:
                connection, _ = listener.accept()
                with connection:
                    asked = connection.recv(65_536)
                    if asked:
                        connection.sendall(data)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return tmp_path

    yield answer
    for thread in threads:
        thread.join(10)
    listener.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "daemon_gone"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "daemon_gone"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "daemon_version"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", "daemon_version"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n[]", "daemon_version"),
        (b"nonsense\r\n\r\n", "daemon_gone"),
    ],
)
def test_what_is_no_answer_is_an_error_of_the_operators(
    answering: Callable[[bytes], Path], answer: bytes, code: str
) -> None:
    assert refused(answering(answer)).code == code


def test_a_daemon_of_another_version_is_named(answering: Callable[[bytes], Path]) -> None:
    body = b'{"code": "api_unknown", "detail": "no /v1", "remedy": "none", "status": 404}'
    head = b"HTTP/1.1 404 Not Found\r\nEndpointd-Version: 9.9\r\nContent-Length: %d\r\n\r\n" % len(body)
    error = refused(answering(head + body))
    assert error.code == "daemon_version"
    assert "the daemon of" in error.message
    assert "is endpointd 9.9, this command is" in error.message


ASK: list[Callable[[Client], object]] = [
    lambda client: client.daemon(),
    lambda client: client.reload(),
    lambda client: client.log_level(),
    lambda client: client.set_log_level("info"),
    lambda client: client.plugins(),
    lambda client: client.act("stop", "acme/neko"),
    lambda client: client.install(io.BytesIO(), 0, replace=False),
    lambda client: list(client.log("acme/neko", 10, follow=False)),
    lambda client: client.environments(),
    lambda client: client.prune_environments(dry_run=True),
    lambda client: client.endpoints(),
    lambda client: client.settings("acme/neko"),
    lambda client: client.create_endpoint({}),
    lambda client: client.change_endpoint("e1", {}),
    lambda client: client.switch_endpoint("e1", enabled=True),
    lambda client: client.apply_endpoints([], dry_run=True),
    lambda client: client.rotate_secrets(),
    lambda client: client.tokens(),
    lambda client: client.create_token("one", None),
]


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("body", [b'{"was": "another"}', b"[" * 100_000])
def test_another_versions_documents_are_not_understood_and_no_traceback(
    answering: Callable[[bytes], Path], ask: Callable[[Client], object], body: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nEndpointd-Version: 0.0.9\r\nContent-Length: %d\r\n\r\n" % len(body)
    with Client(answering(head + body)) as client, pytest.raises(OperatorError, match=r"0\.0\.9") as caught:
        ask(client)
    assert caught.value.code == "daemon_version"


def test_another_versions_daemon_tells_its_version(answering: Callable[[bytes], Path]) -> None:
    with Client(answering(b"HTTP/1.1 200 OK\r\nEndpointd-Version: 0.0.9\r\nContent-Length: 2\r\n\r\n{}")) as client:
        assert client.version() == "0.0.9"


def test_a_daemon_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER", 0.05)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "endpointd.sock"))
        listener.listen()
        assert refused(tmp_path).code == "daemon_silent"


# The daemon's own words


@pytest.mark.parametrize(
    "error", [OperatorError("plugin_failed", "it could not", "see its log"), UsageError("no", "wrongly asked", "ask")]
)
def test_an_error_arrives_as_it_was_raised(host: AdminHost, control: FakeControl, error: OperatorError) -> None:
    control.failure = error
    with Client(host.state) as client, pytest.raises(OperatorError) as caught:
        client.act("restart", "acme/neko")
    assert (type(caught.value), str(caught.value)) == (type(error), str(error))
