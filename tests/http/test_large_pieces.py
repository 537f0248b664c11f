"""Pieces of an answer that host and worker hand over in shared memory: every byte in its place, whatever the client
does, and nothing of another's answer."""

import fcntl
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from endpointd.testing import RunningDaemon
from endpointd_wire.memory import LARGE, RING
from support.eventually import eventually
from support.processes import workers
from support.raw_http import Client, ask, plain

COUNTLESS = 1_000_000
"""Pieces: more than a test takes."""


def target(size: int, count: int, *, length: bool = False) -> str:
    return f"/e/lab/stream/numbered?size={size}&count={count}" + (f"&length={size * count}" if length else "")


def expected(size: int, count: int) -> str:
    digest = hashlib.sha256()
    for number in range(count):
        digest.update((number.to_bytes(8, "big") * (size // 8 + 1))[:size])
    return digest.hexdigest()


def digest_of(client: Client, request: bytes) -> str:
    client.send(request)
    digest = hashlib.sha256()
    for piece in client.pieces(client.read_head()):
        digest.update(piece)
    return digest.hexdigest()


@pytest.mark.parametrize("receive_buffer", [None, 4096], ids=["at once", "slowly"])
@pytest.mark.parametrize("length", [False, True], ids=["chunked", "length"])
@pytest.mark.parametrize("size", [LARGE - 1, LARGE, 65536, 100_001, 300_000])
def test_every_byte_is_in_its_place(url: str, size: int, length: bool, receive_buffer: int | None) -> None:
    count = 12 * RING // size
    with Client(url, receive_buffer=receive_buffer) as client:
        assert digest_of(client, plain(target(size, count, length=length))) == expected(size, count)
        assert client.request("/e/lab/saw").status == 200


def test_and_when_its_end_is_that_of_the_connection(url: str) -> None:
    with Client(url) as client:
        request = f"GET {target(65536, 100)} HTTP/1.0\r\nHost: x\r\n\r\n".encode()
        client.send(request)
        body = b"".join(client.everything()).partition(b"\r\n\r\n")[2]
    assert hashlib.sha256(body).hexdigest() == expected(65536, 100)


def test_several_at_once_do_not_mix(url: str) -> None:
    sizes = (LARGE, 65536, 100_001, 200_000, 8192, 70_000)

    def fetch(size: int) -> str:
        with Client(url, receive_buffer=65536) as client:
            return digest_of(client, plain(target(size, 20_000_000 // size)))

    with ThreadPoolExecutor(len(sizes)) as threads:
        found = [*threads.map(fetch, sizes)]
    assert found == [expected(size, 20_000_000 // size) for size in sizes]


def test_clients_that_leave_take_no_room_with_them(daemon: RunningDaemon) -> None:
    """What is on its way for them is freed as well: the next answer would find the memory full, and be slow for
    ever."""
    for _ in range(3 * RING // 65536):
        with Client(daemon.url, receive_buffer=4096) as client:
            client.send(plain(target(65536, COUNTLESS)))
            next(client.pieces(client.read_head()))
            client.reset()
    eventually(lambda: ask(daemon.url, "/e/lab/saw").status == 200)
    with Client(daemon.url) as client:
        assert digest_of(client, plain(target(65536, 500))) == expected(65536, 500)
        client.send(plain(target(65536, COUNTLESS)))
        next(client.pieces(client.read_head()))
        eventually(lambda: shared(daemon) > 0)
        client.reset()


def test_the_memory_is_given_back_when_nothing_is_under_way(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        client.send(plain(target(65536, COUNTLESS)))
        # A client that takes no more is nothing under way either, after a moment.
        assert any(shared(daemon) > LARGE for _ in islice(client.pieces(client.read_head()), 1000))
        client.reset()
    eventually(lambda: shared(daemon) <= 4096)


def worker_of(daemon: RunningDaemon) -> int:
    (worker,) = {pid for pid in workers(daemon.pid) if "lab" in Path(f"/proc/{pid}/cwd").readlink().as_posix()}
    return worker


def shared(daemon: RunningDaemon) -> int:
    """Bytes that the plugin's worker and the host share for large pieces, as far as there are pages for them."""
    lines = iter(Path(f"/proc/{worker_of(daemon)}/smaps").read_text().splitlines())
    for line in lines:
        if "memfd:endpointd" in line:
            return next(int(size) * 1024 for name, size, *_ in map(str.split, lines) if name == "Rss:")
    raise AssertionError("there is no memory that is shared")


def test_a_worker_cannot_take_the_memory_away_from_the_host(daemon: RunningDaemon) -> None:
    (descriptor,) = memory_of(worker_of(daemon))
    shared = os.open(descriptor, os.O_RDWR)
    try:
        seals = fcntl.fcntl(shared, fcntl.F_GET_SEALS)
        assert seals & fcntl.F_SEAL_SHRINK
        with pytest.raises(PermissionError):
            os.ftruncate(shared, 0)
        with pytest.raises(PermissionError):
            os.ftruncate(shared, 1 << 30)
    finally:
        os.close(shared)


def memory_of(pid: int) -> list[Path]:
    """The descriptors by which a process has memory that is shared."""
    return [path for path in Path(f"/proc/{pid}/fd").iterdir() if "memfd:endpointd" in os.readlink(path)]
