"""endpointd as a service of a real systemd, from its installation to its end. The order is that of a life."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from endpointd import __version__
from endpointd.service.units import CONFIG, KEY, PLUGINS, STATE
from support.eventually import eventually
from support.plugins import write_plugin
from support.wheels import source_distribution, wheel, wheelhouse

from .conftest import HOME, NEWER, Installed

pytestmark = pytest.mark.timeout(240)

URL = "http://127.0.0.1:8080"
BACK_SECONDS = 60.0
HAMMER = Path(__file__).with_name("hammer.py")
GREET = """\
from dify_plugin import Endpoint
from werkzeug import Response


class Greet(Endpoint):
    def _invoke(self, r, values, settings):
        return Response("hello")
"""
LOOK = """\
import os
from dify_plugin import Endpoint
from werkzeug import Response


def attempt(path):
    try:
        with open(path, "a"):
            return "open"
    except OSError as error:
        return type(error).__name__


class Look(Endpoint):
    def _invoke(self, r, values, settings):
        read_only = bool(os.statvfs("/usr").f_flag & os.ST_RDONLY)
        homes = os.stat(os.path.expanduser("~root")).st_mode & 0o777
        names = {"uid": os.getuid(), "read only": read_only, "homes": homes,
                 "key": attempt("/etc/endpointd/secret.key"), "tmp": attempt("/tmp/mine"),
                 "credentials": os.environ.get("CREDENTIALS_DIRECTORY"), "sockets": os.environ.get("LISTEN_FDS")}
        return Response(repr(names))
"""
SLOW = """\
import time
from dify_plugin import Endpoint
from werkzeug import Response


class Slow(Endpoint):
    def _invoke(self, r, values, settings):
        def ticks():
            while True:
                yield "tick\\n"
                time.sleep(0.2)
        return Response(ticks())
"""

BUILT = """\
import goose
import swan
from dify_plugin import Endpoint
from werkzeug import Response


class Built(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(f"{goose.says} {swan.made}")
"""


@pytest.fixture(scope="module")
def service(machine: Installed, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The service, installed, with a plugin `greet` dropped in."""
    machine.endpointd("service", "install")
    drop_in(machine, tmp_path_factory.mktemp("plugins"), "greet", GREET)
    eventually(lambda: get(machine, "/e/greet/") == "200 hello", BACK_SECONDS)
    return machine


def drop_in(machine: Installed, folder: Path, name: str, source: str, requirements: str = "") -> None:
    files = {"it.py": source, "requirements.txt": requirements}
    plugin = write_plugin(folder, name, files, [("GET", "/", "it.py")])
    # The machine has one interpreter, whichever the tests have.
    manifest = plugin / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace("'3.12'", f"'{sys.version_info.major}.{sys.version_info.minor}'"))
    archive = subprocess.run(["tar", "-c", "-C", str(plugin.parent), name], check=True, capture_output=True).stdout
    target = machine.machine.root / "opt" / f"{name}.tar"
    target.write_bytes(archive)
    machine.run("tar", "-x", "--no-same-owner", "-C", PLUGINS, "-f", f"/opt/{name}.tar")


def get(machine: Installed, path: str) -> str:
    """The status and the body; what went wrong, where there is neither."""
    program = (
        "import sys, urllib.request as u\n"
        "try: a = u.urlopen(sys.argv[1], timeout=30)\n"
        "except u.HTTPError as error: a = error\n"
        "print(a.status, a.read().decode(), end='')"
    )
    done = machine.run(f"{HOME}/bin/python", "-c", program, f"{URL}{path}", check=False)
    return done.stdout or done.stderr


@contextmanager
def load(machine: Installed) -> Iterator[None]:
    """Clients ask for `greet` meanwhile. AssertionError: one of them failed."""
    client = machine.machine.start_client(sys.executable, str(HAMMER), URL, "/e/greet/", "hello")
    assert client.stdout is not None
    assert client.stdout.readline() == "began\n"
    try:
        yield
    finally:
        output, _ = client.communicate(timeout=60)
    result = json.loads(output)
    assert result["answered"] > 100
    assert not result["wrong"], result


def workers(machine: Installed) -> set[int]:
    """The processes of the service, the daemon itself included."""
    done = machine.run("cat", "/sys/fs/cgroup/system.slice/endpointd.service/cgroup.procs", check=False)
    below = machine.run("sh", "-c", "cat /sys/fs/cgroup/system.slice/endpointd.service/*/cgroup.procs", check=False)
    return {int(pid) for pid in (done.stdout + below.stdout).split()}


def is_ready(machine: Installed) -> bool:
    return machine.show("ActiveState") == "active"


def drop_in_file(machine: Installed, text: str) -> None:
    folder = machine.machine.root / "etc/systemd/system/endpointd.service.d"
    folder.mkdir(exist_ok=True)
    (folder / "test.conf").write_text(text)
    machine.run("systemctl", "daemon-reload")


# Installing


def test_a_dry_run_says_what_would_be_done_and_does_nothing(machine: Installed) -> None:
    said = machine.endpointd("service", "install", "--dry-run")
    assert "would write /etc/systemd/system/endpointd.service" in said
    assert "would run systemctl start endpointd.socket endpointd.service" in said
    assert not (machine.machine.root / "etc/endpointd").exists()
    assert "nothing to do" in machine.endpointd("service", "uninstall")


def test_it_runs_when_it_is_installed(service: Installed) -> None:
    assert service.show("ActiveState") == "active"
    assert service.show("UnitFileState") == "enabled"
    assert service.show("UnitFileState", "endpointd.socket") == "enabled"
    assert "endpointd.service is active" in service.endpointd("service", "status")
    assert service.run("stat", "-c", "%U:%G %a", KEY).stdout == "root:root 600\n"
    assert service.run("stat", "-c", "%U:%G %a", CONFIG).stdout == "root:endpointd 640\n"
    assert service.run("stat", "-c", "%U:%G %a", PLUGINS).stdout == "endpointd:endpointd 770\n"


def test_to_install_it_twice_changes_nothing(service: Installed) -> None:
    pid = service.pid
    assert service.endpointd("service", "install") == "The service is installed and runs; there is nothing to do.\n"
    assert service.pid == pid


def test_what_is_shown_is_what_is_installed(service: Installed) -> None:
    for unit in ("endpointd.service", "endpointd.socket"):
        there = service.run("cat", f"/etc/systemd/system/{unit}").stdout
        assert service.endpointd("service", "show", unit) == there
    service.run("systemd-analyze", "verify", "endpointd.service", "endpointd.socket")


def test_an_interrupted_installation_is_finished(service: Installed) -> None:
    service.run("rm", "/etc/systemd/system/endpointd.socket", KEY)
    service.run("rmdir", "/run/endpointd")
    said = service.endpointd("service", "install")
    assert "write /etc/systemd/system/endpointd.socket" in said
    assert "make the key" in said
    assert "run systemd-tmpfiles" in said
    assert "nothing to do" in service.endpointd("service", "install")


# Serving


def test_the_commands_find_the_service_by_themselves(service: Installed) -> None:
    assert "test/greet" in service.endpointd("list")
    eventually(lambda: service.show("StatusText") == "1 plugin runs")


def test_as_many_may_wait_as_the_unit_says(service: Installed) -> None:
    most = int(service.run("cat", "/proc/sys/net/core/somaxconn").stdout)
    [(_, backlog)] = re.findall(r"^LISTEN\s+(\d+)\s+(\d+)", service.run("ss", "-Hltn").stdout, re.MULTILINE)
    assert int(backlog) == min(4096, most)


def test_a_plugin_is_restarted(service: Installed) -> None:
    with load(service):
        assert "test/greet 0.1.0 is RUNNING" in service.endpointd("restart", "greet")


def test_what_a_plugin_may_and_may_not(service: Installed, tmp_path: Path) -> None:
    drop_in(service, tmp_path, "look", LOOK)
    eventually(lambda: get(service, "/e/look/").startswith("200"), BACK_SECONDS)
    uid = service.run("id", "-u", "endpointd").stdout.strip()
    assert get(service, "/e/look/") == (
        f"200 {{'uid': {uid}, 'read only': True, 'homes': 0, 'key': 'PermissionError', 'tmp': 'open', "
        "'credentials': None, 'sockets': None}"
    )
    assert not (service.machine.root / "tmp/mine").exists()
    service.endpointd("uninstall", "look", "--yes")


def test_a_plugin_with_requirements_is_built_and_runs(service: Installed, tmp_path: Path) -> None:
    packages = service.machine.root / "opt" / "geese"
    wheelhouse(packages)
    wheel(packages, "goose", "1.0", {"goose.py": "says = 'honk'"})
    source_distribution(packages, "swan", "1.0", "import ctypes, subprocess; subprocess.run(['true'], check=True)")
    config = service.machine.root / CONFIG[1:]
    before = config.read_text()
    config.write_text(before + '\noffline = true\nuv_find_links = ["/opt/geese"]\n')
    service.run("systemctl", "restart", "endpointd")
    drop_in(service, tmp_path, "built", BUILT, "goose\nswan\n")
    eventually(lambda: get(service, "/e/built/") == "200 honk True", BACK_SECONDS)
    service.endpointd("uninstall", "built", "--yes")
    config.write_text(before)


def test_an_address_that_is_not_there_yet_keeps_nothing_from_starting(service: Installed) -> None:
    config = service.machine.root / CONFIG[1:]
    before = config.read_text()
    config.write_text(re.sub("(?m)^listen = .*", 'listen = ["127.0.0.1:8080", "192.0.2.1:8080"]', before))
    service.endpointd("service", "install")
    assert get(service, "/e/greet/") == "200 hello"
    assert "192.0.2.1:8080" in service.show("Listen", "endpointd.socket")
    config.write_text(before)
    service.endpointd("service", "install")


def test_the_journal_knows_how_grave_a_line_is(service: Installed) -> None:
    command = ("journalctl", "--no-pager", "--output=cat", "--unit=endpointd.service", "--priority=warning")
    service.run("sh", "-c", f"mkdir {PLUGINS}/nothing")
    eventually(lambda: '"folder.refused"' in service.run(*command).stdout, BACK_SECONDS)
    service.run("rmdir", f"{PLUGINS}/nothing")
    lines = service.run(*command).stdout.splitlines()
    assert all(line.startswith("{") for line in lines if '"level"' in line)
    assert '"level": "info"' not in "".join(lines)


def test_the_key_is_a_credential(service: Installed) -> None:
    assert "secret_key_fixed" in service.endpointd("secrets", "rotate", check=False)
    assert not (service.machine.root / STATE[1:] / "secret.key").exists()


def test_the_exposure_is_small(service: Installed) -> None:
    said = service.run("systemd-analyze", "security", "--no-pager", "endpointd.service").stdout
    found = re.search(r"Overall exposure level for endpointd\.service: ([0-9.]+)", said)
    assert found
    assert float(found[1]) <= 3.0, said


def test_reload_tells_the_truth(service: Installed) -> None:
    config = service.machine.root / CONFIG[1:]
    before = config.read_text()
    pid = service.pid
    config.write_text(before + "\nclock_drain = 3\nclock_kill = 1\n")
    service.run("systemctl", "reload", "endpointd")
    config.write_text(before + "\nclock_drain = 'soon'\n")
    assert service.run("systemctl", "reload", "endpointd", check=False).returncode != 0
    config.write_text(before + "\nclock_drain = 3\nclock_kill = 1\n")
    assert (service.pid, service.show("ActiveState")) == (pid, "active")
    # The time to stop follows the configuration.
    assert "replace /etc/systemd/system/endpointd.service" in service.endpointd("service", "install")
    assert service.show("TimeoutStopUSec") == "30s"


# Ends and beginnings


def test_a_configuration_that_cannot_be_used_is_not_tried_again_and_again(service: Installed) -> None:
    config = service.machine.root / CONFIG[1:]
    before = config.read_text()
    config.write_text(f"{before}\nclock_drian = 3\n")
    assert service.run("systemctl", "restart", "endpointd", check=False).returncode
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("failed", "0")
    assert "did you mean clock_drain?" in service.journal()
    config.write_text(before)
    service.run("systemctl", "restart", "endpointd")
    assert get(service, "/e/greet/") == "200 hello"


def test_a_restart_under_load_loses_no_connection(service: Installed) -> None:
    pid = service.pid
    with load(service):
        for _ in range(2):
            service.run("systemctl", "restart", "endpointd")
    assert service.pid != pid


def test_a_killed_daemon_comes_back_and_leaves_no_worker(service: Installed) -> None:
    before = workers(service)
    assert len(before) >= 3
    service.run("kill", "-9", service.pid)
    eventually(lambda: service.pid not in before | {0} and is_ready(service), BACK_SECONDS)
    assert not before & workers(service)
    assert get(service, "/e/greet/") == "200 hello"


def test_a_hung_daemon_is_replaced(service: Installed) -> None:
    drop_in_file(service, "[Service]\nWatchdogSec=6\n")
    service.run("systemctl", "restart", "endpointd")
    before = service.pid
    fed = service.show("WatchdogTimestampMonotonic")
    eventually(lambda: service.show("WatchdogTimestampMonotonic") != fed)
    service.run("kill", f"-{signal.SIGSTOP}", before)
    eventually(lambda: service.pid not in (0, before) and is_ready(service), BACK_SECONDS)
    assert "Watchdog timeout" in service.journal()
    # It says where it hung.
    assert "Fatal Python error: Aborted" in service.journal()
    assert get(service, "/e/greet/") == "200 hello"
    drop_in_file(service, "")


def test_the_end_keeps_to_the_drain_clock(service: Installed, tmp_path: Path) -> None:
    drop_in(service, tmp_path, "slow", SLOW)
    eventually(lambda: "slow" in service.endpointd("list"), BACK_SECONDS)
    program = f"import urllib.request as u; r = u.urlopen('{URL}/e/slow/'); print(r.readline(), flush=True); r.read()"
    client = service.machine.start_client(sys.executable, "-c", program)
    assert client.stdout is not None
    assert client.stdout.readline() == "b'tick\\n'\n"
    began = time.monotonic()
    service.run("systemctl", "stop", "endpointd.service")
    took = time.monotonic() - began
    client.communicate(timeout=20)
    assert 2.5 < took < 15
    assert (service.show("ActiveState"), service.show("Result")) == ("inactive", "success")
    assert not workers(service)


def test_whoever_connects_to_the_socket_wakes_the_service(service: Installed) -> None:
    service.run("systemctl", "stop", "endpointd.service")
    assert get(service, "/e/greet/") == "200 hello"
    eventually(lambda: is_ready(service))


def test_it_starts_when_the_machine_does(service: Installed) -> None:
    service.machine.reboot()
    eventually(lambda: is_ready(service), BACK_SECONDS)
    assert get(service, "/e/greet/") == "200 hello"


def test_a_newer_wheel_takes_over_under_load(service: Installed) -> None:
    with load(service):
        service.upgrade()
        said = service.endpointd("service", "install")
        assert "run systemctl restart endpointd.service" in said
    assert json.loads(service.endpointd("status", "--json"))["daemon"]["version"] == NEWER != __version__
    assert "nothing to do" in service.endpointd("service", "install")


# Removing


def test_what_is_uninstalled_keeps_its_data(service: Installed) -> None:
    assert f"{STATE} and /etc/endpointd stay" in service.endpointd("service", "uninstall")
    assert service.show("LoadState") == "not-found"
    assert not workers(service)
    assert (service.machine.root / PLUGINS[1:] / "greet").is_dir()
    assert "nothing to do" in service.endpointd("service", "uninstall")
    assert service.run("sh", "-c", "echo > /dev/tcp/127.0.0.1/8080", check=False).returncode
    # What was kept is served again.
    service.endpointd("service", "install")
    assert get(service, "/e/greet/") == "200 hello"


def test_a_purge_deletes_everything_and_only_when_told(service: Installed) -> None:
    assert "not_confirmed" in service.endpointd("service", "uninstall", "--purge", check=False)
    service.endpointd("service", "uninstall", "--purge", "--yes")
    left = service.run(
        "sh", "-c", "ls -d /etc/*/endpointd* /etc/endpointd /var/lib/endpointd /run/endpointd", check=False
    )
    assert left.stdout == ""
    assert service.run("id", "endpointd", check=False).returncode
