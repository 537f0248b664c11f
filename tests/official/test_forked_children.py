"""A child that a request forks has a copy of every greenlet. What others were at is not done twice."""

import os
import socket
from pathlib import Path

import pytest

from endpointd_wire.messages import Response
from official.conftest import StartOfficial, until_over
from support.eventually import eventually
from support.sdks import NEWEST
from support.worker_process import WorkerProcess

# Packages may have to be fetched first.
pytestmark = pytest.mark.timeout(300)


class Forked:
    """A child that a request has forked, and which rests until it is told to end."""

    def __init__(self, worker: WorkerProcess, folder: Path) -> None:
        self._worker = worker
        self._until = folder / "end"
        forked = folder / "forked"
        os.mkfifo(forked)
        self._stream = worker.host.request(path=b"/fork", query=f"forked={forked}&until={self._until}".encode())
        assert forked.read_text() == "here"

    def end(self) -> str:
        """What it did last."""
        self._until.touch()
        assert until_over(self._worker, {self._stream})[self._stream] == b"0"
        return self._until.read_text()


def test_a_child_goes_on_with_no_other_request(start_official: StartOfficial, tmp_path: Path) -> None:
    worker = start_official(NEWEST, "waits.py")
    notes, until = tmp_path / "notes", tmp_path / "stop"
    noting = worker.host.request(path=b"/note", query=f"file={notes}&until={until}".encode())
    worker.host.hear(Response)
    child = Forked(worker, tmp_path)
    before = len(notes.read_text())
    # There is a sleep for each note, and so there is time for some in the child.
    eventually(lambda: len(notes.read_text()) > before + 500)
    until.touch()
    until_over(worker, {noting})
    assert child.end() == "rested"
    *noted, last = notes.read_text().splitlines()
    assert set(noted) == {str(worker.process.pid)}
    assert last == f"{worker.process.pid} closed"


def test_a_child_rests_though_a_connection_of_another_request_ends(
    start_official: StartOfficial, tmp_path: Path
) -> None:
    worker = start_official(NEWEST, "waits.py")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stream = worker.host.request(path=b"/fetch", query=f"url={url}".encode())
        with listener.accept()[0] as connection:
            assert connection.recv(65536).startswith(b"GET / ")
            child = Forked(worker, tmp_path)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nfetched")
    assert until_over(worker, {stream})[stream] == b"fetched"
    notes, until = tmp_path / "notes", tmp_path / "stop"
    noting = worker.host.request(path=b"/note", query=f"file={notes}&until={until}".encode())
    eventually(lambda: notes.exists() and len(notes.read_text()) > 500)
    until.touch()
    until_over(worker, {noting})
    assert child.end() == "rested"


def test_a_child_ends_with_the_thread_that_has_forked_it(start_official: StartOfficial) -> None:
    worker = start_official(NEWEST, "waits.py")
    stream = worker.host.request(path=b"/fork-in-thread")
    assert until_over(worker, {stream})[stream] == b"0"
