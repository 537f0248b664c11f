"""What a worker sees of the daemon's environment: how the machine speaks and reaches others, and no secret."""

from pathlib import Path
from typing import Any

from endpointd.testing import DaemonStarter
from support.catalogue import misbehave, write_catalogue

PASSED_ON = {
    "LANG": "C.UTF-8",
    "LC_TIME": "C",
    "TZ": "Asia/Tokyo",
    "TMPDIR": "/var/tmp",
    "https_proxy": "http://127.0.0.1:9",
    "SSL_CERT_FILE": "/nowhere/ca.pem",
}
KEPT_BACK = {
    "DATABASE_PASSWORD": "hunter2",
    "ENDPOINTD_LOG_LEVEL": "debug",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "LD_LIBRARY_PATH": "/nowhere",
    "PYTHONPATH": "/nowhere",
    "PYTHONSTARTUP": "/nowhere",
    "INVOCATION_ID": "hunter2",
    "lang": "hunter2",
    "LCX": "hunter2",
}
CONFIGURATION = """
[plugin."test/environment"]
env = { REPORTS_HOME = "/srv/reports", TZ = "UTC" }
"""


def ask_environment(start_daemon: DaemonStarter, directory: Path, **settings: object) -> dict[str, Any]:
    plugins = write_catalogue(directory / "plugins", "environment")
    daemon = start_daemon(plugins, env={**PASSED_ON, **KEPT_BACK}, **settings)
    answer = misbehave(daemon, "environment")
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def test_only_what_is_listed_is_passed_on(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    found = ask_environment(start_daemon, tmp_path)
    environment = found["at_import"]
    assert {name: environment.get(name) for name in PASSED_ON} == PASSED_ON
    assert set(environment) & {*KEPT_BACK, "NOTIFY_SOCKET"} == set()
    assert "hunter2" not in found["initial"]
    assert found["now"] == environment


def test_a_plugins_own_variables_come_from_the_configuration(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    (tmp_path / "endpointd.toml").write_text(CONFIGURATION)
    environment = ask_environment(start_daemon, tmp_path, config=tmp_path / "endpointd.toml")["at_import"]
    assert environment["REPORTS_HOME"] == "/srv/reports"
    assert environment["TZ"] == "UTC"
    assert environment["LANG"] == PASSED_ON["LANG"]


def test_a_worker_runs_in_the_release_of_its_plugins_folder(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    found = Path(ask_environment(start_daemon, tmp_path)["folder"])
    assert found.parent.name == "test+environment"
    assert (found / "manifest.yaml").read_bytes() == (tmp_path / "plugins/environment/manifest.yaml").read_bytes()
