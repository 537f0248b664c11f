"""A worker that runs as another user: who that is, what it then has, and what is said when it cannot be."""

import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from endpointd.errors import OperatorError
from endpointd.supervisor import launch
from endpointd.supervisor.process import WorkerProcess
from endpointd.supervisor.users import Account, find_account, out_of_reach
from support import other_user
from support.marked import a_process, with_reaper

NOBODY = pwd.getpwuid(65534)
STRANGER = Account("stranger", 60_123, 60_124, (60_124, 60_125), "/home/stranger")
UNKNOWN = "60123"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user: NOT TESTED")


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getegid", lambda: 0)


# Who it is


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("user", [NOBODY.pw_name, str(NOBODY.pw_uid)])
def test_a_user_has_its_own_groups_and_home(user: str) -> None:
    account = find_account(user)
    groups = tuple(os.getgrouplist(NOBODY.pw_name, NOBODY.pw_gid))
    assert account == Account(NOBODY.pw_name, NOBODY.pw_uid, NOBODY.pw_gid, groups, NOBODY.pw_dir)
    assert account is not None
    assert account.environment == {"HOME": NOBODY.pw_dir, "USER": NOBODY.pw_name, "LOGNAME": NOBODY.pw_name}


@pytest.mark.usefixtures("as_root")
def test_a_group_replaces_the_users_first_one() -> None:
    for group in ("daemon", str(grp.getgrnam("daemon").gr_gid)):
        account = find_account(NOBODY.pw_name, group)
        assert account is not None
        assert account.gid == grp.getgrnam("daemon").gr_gid
        assert account.gid in account.groups


@pytest.mark.usefixtures("as_root")
def test_a_number_that_is_no_users_will_do_with_a_group() -> None:
    assert find_account(UNKNOWN, "60124") == Account(UNKNOWN, 60_123, 60_124, (60_124,), "/")


@pytest.mark.usefixtures("as_root")
def test_nothing_changes_without_a_user_or_with_the_daemons_own() -> None:
    assert find_account(None) is None
    assert find_account("root") is None
    assert find_account("0", "0") is None


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("user", "group", "code", "words"),
    [
        ("no-such-user", None, "user_unknown", "there is no user 'no-such-user'"),
        ("nobody", "no-such-group", "group_unknown", "there is no group 'no-such-group'"),
        (UNKNOWN, None, "group_missing", f"the number {UNKNOWN} is no user's"),
        (None, "daemon", "user_missing", "no user is set"),
    ],
)
def test_what_cannot_be_is_explained(user: str | None, group: str | None, code: str, words: str) -> None:
    with pytest.raises(OperatorError) as caught:
        find_account(user, group)
    assert caught.value.code == code
    assert words in caught.value.message


def test_who_is_not_root_can_be_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    monkeypatch.setattr(os, "getegid", lambda: NOBODY.pw_gid)
    assert find_account(NOBODY.pw_name) is None
    with pytest.raises(OperatorError) as caught:
        find_account("daemon")
    assert caught.value.code == "user_not_allowed"


# What it may read


@needs_root
def test_the_first_thing_out_of_reach_is_found() -> None:
    with tempfile.TemporaryDirectory() as name:
        top, closed, file = Path(name), Path(name) / "closed", Path(name) / "closed" / "open" / "file"
        file.parent.mkdir(parents=True)
        file.touch()
        for path, mode in ((file, 0o644), (file.parent, 0o755), (closed, 0o711), (top, 0o711)):
            path.chmod(mode)
        assert out_of_reach(STRANGER, [top, file]) is None
        assert out_of_reach(STRANGER, [top, file.parent / "missing"]) == file.parent / "missing"
        closed.chmod(0o700)
        assert out_of_reach(STRANGER, [file]) == closed
        os.chown(closed, STRANGER.uid, -1)
        assert out_of_reach(STRANGER, [file]) is None
        closed.chmod(0o011)
        assert out_of_reach(STRANGER, [file]) == closed
        os.chown(closed, 0, STRANGER.groups[-1])
        assert out_of_reach(STRANGER, [file]) is None
        closed.chmod(0o701)
        assert out_of_reach(STRANGER, [file]) == closed
        closed.chmod(0o711)
        file.chmod(0o600)
        assert out_of_reach(STRANGER, [file]) == file


# What it then is


def test_its_environment_is_the_users_and_the_operators_wins() -> None:
    environment = launch.environment({"HOME": "/srv"}, STRANGER)
    assert (environment["HOME"], environment["USER"], environment["LOGNAME"]) == ("/srv", "stranger", "stranger")
    assert "USER" not in launch.environment({})


@needs_root
def test_it_has_the_users_rights_and_the_wire_and_the_log() -> None:
    async def story() -> tuple[bytes, bytes]:
        async with a_process(["/bin/sh", "-c", "id -u; id -g; id -G; echo log >&2"], STRANGER) as process:
            assert await process.wait() == 0
            process.wire.setblocking(True)
            return process.wire.recv(1000), os.read(process.log, 1000)

    assert with_reaper(story) == (b"60123\n60124\n60124 60125\n", b"log\n")


@needs_root
def test_it_can_be_ended_with_its_children() -> None:
    async def story() -> int:
        async with a_process(["/bin/sh", "-c", "sleep 1000 & wait"], STRANGER) as process:
            process.kill()
            return await process.wait()

    assert with_reaper(story) == -9


@needs_root
def test_a_program_out_of_reach_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    shutil.copy("/bin/true", program)

    async def story() -> None:
        with pytest.raises(PermissionError, match="the user stranger may not read or enter /"):
            WorkerProcess.spawn([str(program)], Path("/"), {}, STRANGER)

    with_reaper(story)


# With a real worker

OPENING = """
mount --bind "$1" "$2" && mount -t tmpfs -o mode=755 none "$1" || exit 99
mkdir "$1/$3" && mount --bind "$2/$3" "$1/$3" || exit 99
shift 3; exec "$@"
"""
"""Shows of the folder $1 only its subfolder $3, and that to everybody; by way of the empty folder $2."""


def opened(account: Account, command: list[str], empty: Path) -> list[str]:
    """`command`, which the account is to run. Where the interpreter is in a closed folder (root's home), that is
    opened for this command alone, by a mount that nobody else sees."""
    closed = out_of_reach(account, [Path(sys.executable)])
    if closed is None:
        return command
    inside = Path(sys.executable).resolve().relative_to(closed).parts[0]
    return ["unshare", "--mount", "/bin/sh", "-c", OPENING, "sh", str(closed), str(empty), inside, *command]


@needs_root
@pytest.mark.parametrize("way", ["executed", "forked"])
def test_a_whole_worker_runs_as_another_user(tmp_path: Path, way: str) -> None:
    """It loads a plugin, answers, and has its limits. The folder of the plugin is open to everybody."""
    account = find_account(NOBODY.pw_name)
    assert account is not None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "who.py").write_text(other_user.PLUGIN)
        command = opened(account, [sys.executable, other_user.__file__, folder, account.name, way], tmp_path)
        path = f"{Path(__file__).parents[1]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        ran = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=30
        )
    if ran.returncode == 99 or ran.stderr.startswith("unshare: "):
        pytest.skip("the interpreter is out of the user's reach, and cannot be mounted elsewhere: NOT TESTED")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found == {
        # It may look at itself, and has no rights but a user's.
        "seen": account.uid,
        "rights": ["0" * 16, "1"],
        "user": [account.uid] * 3,
        "group": [account.gid] * 3,
        "groups": sorted(account.groups),
        "home": account.home,
        "name": account.name,
        "files": [500, 500],
        "nice": 2,
        "arguments": 1,
    }
