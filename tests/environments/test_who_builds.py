"""Who runs the code of packages while an environment is built, and what that user can do to it afterwards."""

import os
import pwd
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from endpointd.environments.sealing import seal
from endpointd.environments.shelf import Workplace
from endpointd.environments.uv import UvOptions, environment
from endpointd.supervisor.users import find_account
from endpointd.supervisor.worker import WorkerOrder
from environments.conftest import Workshop
from support.wheels import no_index, source_distribution, wheel

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user: NOT TESTED")
NOBODY = pwd.getpwuid(65534)

WHO = """
import os
found = f"who = {os.getresuid()}, {os.getresgid()}, {sorted(os.getgroups())}"
return make(folder, found)
"""


@pytest.fixture
def open_workshop(workshop: Workshop, shared_packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """One that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        monkeypatch.setenv("UV_DEFAULT_INDEX", no_index(folder / "index"))
        workshop.root = folder / "environments"
        workshop.cache = folder / "cache"
        workshop.packages = folder / "packages"
        workshop.packages.mkdir(mode=0o755)
        for made in shared_packages.iterdir():
            (workshop.packages / made.name).write_bytes(made.read_bytes())
        workshop.folder = folder
        yield workshop


@needs_root
def test_packages_are_built_by_the_plugins_user_who_cannot_change_them_afterwards(open_workshop: Workshop) -> None:
    workshop = open_workshop
    account = find_account(NOBODY.pw_name)
    source_distribution(workshop.packages, "duck", "1.0", WHO)
    order = workshop.order("duck", account=account)

    async def scenario() -> None:
        python = await workshop.build(order)
        done = subprocess.run(  # noqa: ASYNC221
            [python, "-I", "-c", "import duck; print(duck.who)"],
            capture_output=True,
            text=True,
            check=True,
            user=NOBODY.pw_uid,
            group=NOBODY.pw_gid,
            extra_groups=[],
        )
        ids = (NOBODY.pw_uid,) * 3, (NOBODY.pw_gid,) * 3, [NOBODY.pw_gid]
        assert done.stdout.strip() == str(ids)

    workshop.play(scenario)
    (key,) = workshop.there()
    for path in [workshop.root / key, *(workshop.root / key).rglob("*")]:
        state = path.lstat()
        assert (state.st_uid, state.st_gid) == (0, 0), path
        assert path.is_symlink() or not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path


TO_WRITE = """
import glob, os
for place in glob.glob("{root}/.*-*"):
    for name in ("pins.txt", "endpointd.json", "env/endpointd.json"):
        try:
            if os.path.lexists(place + "/" + name):
                os.unlink(place + "/" + name)
            os.symlink("{secret}", place + "/" + name)
        except PermissionError:
            pass
"""
"""The build of a package that puts links to a file of root's where root may write."""

TO_READ = """
import glob, os
for site in glob.glob("{root}/.*-*/env/lib/python3.*/site-packages"):
    os.mkdir(site + "/secret-1.dist-info")
    os.symlink("{secret}", site + "/secret-1.dist-info/METADATA")
"""
"""The same, where root may read."""


def lead_to_secret(workshop: Workshop, build: str, text: str) -> tuple[Path, WorkerOrder]:
    """A file that only root may read; and the order for a package whose build, by nobody, leaves links to it."""
    secret = workshop.folder / "secret"
    secret.write_text(text)
    secret.chmod(0o600)
    source_distribution(workshop.packages, "duck", "1.0", build.format(root=workshop.root, secret=secret))
    return secret, workshop.order("duck", account=find_account(NOBODY.pw_name))


@needs_root
def test_the_daemon_follows_no_link_that_a_build_has_left(open_workshop: Workshop) -> None:
    workshop = open_workshop
    secret, order = lead_to_secret(workshop, TO_WRITE, "precious")

    async def scenario() -> None:
        await workshop.build(order)
        assert [one.record.source for one in await workshop.environments.stored()] == ["requirements.txt"]

    workshop.play(scenario)
    assert secret.read_text() == "precious"
    (key,) = workshop.there()
    assert not (workshop.root / key / "endpointd.json").is_symlink()


@needs_root
def test_the_daemon_reads_nothing_for_a_build_that_its_user_may_not_read(open_workshop: Workshop) -> None:
    workshop = open_workshop
    # Whoever reads this refuses the environment.
    _, order = lead_to_secret(workshop, TO_READ, "Metadata-Version: 2.1\nName: werkzeug\nVersion: 0.1\n")

    async def scenario() -> None:
        await workshop.build(order)

    workshop.play(scenario)


@needs_root
def test_users_share_neither_environments_nor_caches(open_workshop: Workshop) -> None:
    workshop = open_workshop
    wheel(workshop.packages, "duck", "1.0", {"duck.py": ""})
    mine = workshop.order("duck", "a")
    others = replace(mine, account=find_account(NOBODY.pw_name))

    async def scenario() -> None:
        assert await workshop.environments.key_of(mine) != await workshop.environments.key_of(others)

    workshop.play(scenario)


@needs_root
def test_an_interpreter_that_the_user_cannot_reach_is_none(open_workshop: Workshop) -> None:
    workshop = open_workshop
    closed = workshop.folder / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "python3.11"
    program.write_text("#!/bin/sh\nexec " + sys.executable + ' "$@"\n')
    program.chmod(0o755)
    workshop.interpreters = [program]
    order = workshop.order("duck")
    wheel(workshop.packages, "duck", "1.0", {"duck.py": ""})

    async def scenario() -> None:
        await workshop.build(order)
        assert any(str(program) in line for line in workshop.lines)
        workshop.lines.clear()
        await workshop.build(replace(order, account=find_account(NOBODY.pw_name)))
        assert not any(str(program) in line for line in workshop.lines)

    workshop.play(scenario)


@needs_root
def test_sealing_follows_no_link_and_leaves_nothing_strange(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("")
    os.chown(secret, 1, 1)
    env = tmp_path / "env"
    (env / "deep").mkdir(parents=True)
    (env / "link").symlink_to(secret)
    (env / "folder").symlink_to(tmp_path)
    (env / "deep" / "program").write_text("")
    (env / "deep" / "program").chmod(0o6777)
    os.mkfifo(env / "pipe")
    for path in (env, env / "deep", env / "deep" / "program"):
        os.chown(path, 1, 1)
    (env / "deep" / "program").chmod(0o6777)
    seal(env)
    assert secret.stat().st_uid == 1
    assert not (env / "pipe").exists()
    state = (env / "deep" / "program").stat()
    assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (0, 0o755)
    assert (env / "link").lstat().st_uid == 0


def test_uv_gets_what_it_may_know_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cret")
    monkeypatch.setenv("UV_PUBLISH_TOKEN", "s3cret")
    monkeypatch.setenv("UV_INDEX_PRIVATE_PASSWORD", "for uv")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://environment.example")
    options = UvOptions("https://me:it@settings.example", ("/a", "/b"), Path("/cache"), offline=True)
    found = environment(options, None)
    assert "s3cret" not in found.values()
    assert found["UV_INDEX_PRIVATE_PASSWORD"] == "for uv"
    assert found["UV_DEFAULT_INDEX"] == "https://me:it@settings.example"
    assert (found["UV_FIND_LINKS"], found["UV_CACHE_DIR"], found["UV_OFFLINE"]) == ("/a,/b", "/cache", "1")
    assert environment(UvOptions(), None)["UV_DEFAULT_INDEX"] == "https://environment.example"


@needs_root
def test_a_folder_of_the_builders_is_not_entered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as a folder is the account's, it can put a link into the place of what is in it."""
    account = find_account(NOBODY.pw_name)
    assert account is not None
    (tmp_path / "release" / "data").mkdir(parents=True)
    (tmp_path / "release" / "data" / "shadow").touch()
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "shadow").touch()
    chown = os.chown

    def followed_by_an_attack(path: Path, uid: int, gid: int, *, follow_symlinks: bool) -> None:
        chown(path, uid, gid, follow_symlinks=follow_symlinks)
        data = path / "data"
        if data.is_dir() and not data.is_symlink():
            data.rename(path / "aside")
            data.symlink_to(tmp_path / "private")

    monkeypatch.setattr(os, "chown", followed_by_an_attack)
    place = Workplace(tmp_path / "environments", "key").open()
    try:
        place.fill(tmp_path / "release", ())
        place.hand_over(account)
        assert (place.source / "aside" / "shadow").stat().st_uid == account.uid
    finally:
        place.remove()
    assert (tmp_path / "private" / "shadow").stat().st_uid == 0
