"""What was confirmed is there, whoever is killed and however full the disk is."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from endpointd.store.endpoint_store import EndpointStore
from endpointd.store.schema import HISTORY, History
from store.conftest import KEYS, Place, opened, record, refused
from support.dying import killed_at_every_step

KILLS = 15
WRITER = Path(__file__).with_name("writer.py")


def test_a_kill_at_any_moment_loses_nothing_that_was_confirmed(place: Place) -> None:
    chance = random.Random(4711)
    expected: dict[str, str | None] = {}
    for _ in range(KILLS):
        told, unsure = changes_until_killed(place, chance.randint(1, 60))
        expected |= told
        with opened(place) as store:
            found = {one.id: str(one.settings["token"]) for one in store.all()}
        for id_ in expected.keys() | found.keys():
            # The change that was under way is there or not; never anything else.
            allowed = {expected.get(id_)} | {value for changed, value in unsure if changed == id_}
            assert found.get(id_) in allowed
            expected[id_] = found.get(id_)
    assert len(expected) > KILLS


def changes_until_killed(place: Place, enough: int) -> tuple[dict[str, str | None], list[tuple[str, str | None]]]:
    """What a writer has confirmed until it was killed after so many changes, and the one that it had announced."""
    confirmed: dict[str, str | None] = {}
    announced: list[tuple[str, str | None]] = []
    with subprocess.Popen([sys.executable, WRITER, place.url], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        # What it has told before it was killed is read to the end.
        for line in child.stdout:
            word, id_, value = json.loads(line)
            announced = [(id_, value)] if word == "will" else []
            if word == "done":
                confirmed[id_] = value
                enough -= 1
                if enough == 0:
                    child.kill()
    assert child.returncode == -signal.SIGKILL
    return confirmed, announced


def test_a_death_at_any_step_of_a_change_leaves_all_of_it_or_nothing(place: Place) -> None:
    one = record(created_at=1.0)
    with opened(place) as store:
        store.add(one)
    changed, added = replace(one, name="changed", settings={"token": "other"}), record(created_at=2.0)

    def change() -> None:
        with opened(place) as store:
            store.replace(changed)
            store.add(added)
            store.remove(one.id)

    seen = []
    for _ in killed_at_every_step(change):
        with opened(place) as store:
            seen.append(store.all())
            for each in store.all():
                store.remove(each.id)
            store.add(one)
    possible = [[one], [changed], [changed, added], [added]]
    assert all(each in possible for each in seen)
    assert [each for each in possible if each not in seen] == [[added]]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own, mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "test", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full disk needs a small one, and only root, with leave to mount, can have that: NOT TESTED")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        size = 64 * 1024
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    return ballast


def test_on_a_full_disk_nothing_is_half_written(small: Path) -> None:
    file = small / "endpointd.db"
    with opened(Place(f"sqlite:///{file}", file)) as store:
        one = record(created_at=1.0)
        store.add(one)
        ballast = fill(small)
        big = record(created_at=2.0, settings={"token": "x" * 300_000})
        for action in (partial(store.add, big), partial(store.replace, replace(big, id=one.id))):
            with refused("database_full"):
                action()
            assert store.all() == [one]
        ballast.unlink()
        store.add(big)
        assert store.all() == [one, big]
    with opened(Place(f"sqlite:///{file}", file)) as store:
        assert store.all() == [one, big]


def test_on_a_full_disk_no_database_is_begun(small: Path) -> None:
    ballast = fill(small)
    file = small / "endpointd.db"
    with refused("database_full"):
        EndpointStore.open(file, KEYS)
    ballast.unlink()
    EndpointStore.open(file, KEYS).close()


def test_who_holds_the_file_is_waited_for_and_told_of(in_file: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_file.file is not None
    monkeypatch.setattr("endpointd.store.engines.PATIENCE", 0.05)
    with opened(in_file) as store:
        one = record()
        store.add(one)
        with closing(sqlite3.connect(in_file.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with refused("database_busy"):
                store.remove(one.id)
            with refused("database_busy"):
                EndpointStore.open(in_file.file, KEYS)
            assert store.all() == [one]
        store.remove(one.id)


def test_only_a_step_that_is_missing_imports_alembic(tmp_path: Path) -> None:
    """Both are slow to import, and most starts find no step to do: all is new, or all was done."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "import endpointd.store.records, endpointd.store.errors, endpointd.store.naming, endpointd.sealing.keyfile\n"
        "assert 'sqlalchemy' not in sys.modules\n"
        "from endpointd.store.endpoint_store import EndpointStore\n"
        "EndpointStore.open(Path(sys.argv[1]), endpointd.sealing.keyfile.KeyFile(Path(sys.argv[2]))).close()\n"
        "print('alembic' in sys.modules, 'psycopg' in sys.modules)\n"
    )
    file = tmp_path / "endpointd.db"

    def told() -> str:
        command = [sys.executable, "-c", program, str(file), str(tmp_path / "key")]
        # What is logged comes before that.
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]

    assert [told(), told()] == ["False False", "False False"]
    file.unlink()
    with opened(Place(f"sqlite:///{file}", file), history=History(HISTORY.folder, HISTORY.revisions[:1])):
        pass
    assert [told(), told()] == ["True False", "False False"]
