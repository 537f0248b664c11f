"""The command line as a whole: what it answers, on which stream, and with which exit status."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from endpointd import __version__
from endpointd.settings.headings import single_settings
from endpointd.settings.names import flag_of

Run = Callable[..., CompletedProcess[str]]

EVERY_FLAG = {
    "plugins": "p",
    "state": "s",
    "listen": "[::1]:9",
    "listen_mode": "600",
    "start": "on-demand",
    "idle_stop": 9,
    "allow_from": "10.1.0.0/16",
    "rate": "5/s",
    "cors_origins": "https://a.example",
    "listen_group": "28",
    "tls_certificate": "c.pem",
    "tls_key": "k.pem",
    "tls_minimum": "1.3",
    "forwarding_headers": "forwarded",
    "public_url": "https://example.org",
    "trace_parent": "link",
    "trace_url": "http://collector.example:4318",
    "trusted_proxies": "10.0.0.0/8",
    "auto_endpoints": False,
    "development": True,
    "log_format": "json",
    "log_level": "debug",
    "limit_body": 1,
    "limit_header": 2,
    "limit_uri": 3,
    "limit_connections": 4,
    "limit_storage": 44,
    "concurrency": 5,
    "concurrency_async": 45,
    "workers": 2,
    "queue_size": 6,
    "clock_header": 7,
    "clock_keep_alive": 8,
    "clock_client_idle": 9,
    "clock_start": 10,
    "clock_queue": 11,
    "clock_first_byte": 12,
    "clock_idle": 13,
    "clock_total": 14,
    "clock_drain": 15,
    "clock_kill": 16,
    "clock_cancel_grace": 17,
    "restart_limit": 18,
    "restart_stable": 19,
    "restart_longest": 20,
    "clock_ping": 21,
    "recycle_requests": 22,
    "recycle_age": 23,
    "recycle_memory": 24,
    "watch": "poll",
    "releases_kept": 25,
    "starts_at_once": 26,
    "fork_server": False,
    "admin_group": "27",
    "limit_files": 28,
    "limit_memory": 29,
    "limit_processes": 30,
    "nice": 11,
    "user": "somebody",
    "group": "some",
    "database": "sqlite:////endpoints.db",
    "secret_key": "k",
    "endpoints_file": "e",
    "admin_listen": "[::1]:10",
    "environments": "v",
    "python_interpreters": "p/python3",
    "value_error_is_404": True,
    "offline": True,
    "uv_index_url": "https://pypi.example.org/simple",
    "uv_find_links": "w",
    "uv_cache": "u",
    "builds_at_once": 31,
    "clock_build": 32,
    "package_keys": "x.pem",
    "package_signatures": "require",
    "limit_package": 33,
    "ready_when": "settled",
    "public_health": True,
    "log_file": "f",
    "log_file_size": 34,
    "log_files_kept": 35,
    "log_requests": True,
    "output_rate": 36,
}


def as_arguments(flags: dict[str, object]) -> list[str]:
    switches = {True: "--{}", False: "--no-{}"}
    return [
        switches[value].format(flag_of(name)[2:]) if isinstance(value, bool) else f"{flag_of(name)}={value}"
        for name, value in flags.items()
    ]


def test_the_version_is_printed(run: Run) -> None:
    outcome = run("--version")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, f"endpointd {__version__}\n", "")


def test_the_installed_command_is_the_same_program() -> None:
    command = shutil.which("endpointd", path=str(Path(sys.executable).parent))
    assert command is not None
    outcome = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert outcome.stdout == f"endpointd {__version__}\n"


def test_help_describes_every_setting(run: Run) -> None:
    outcome = run("serve", "--help")
    assert outcome.returncode == 0
    for name, field in single_settings():
        assert flag_of(name) in outcome.stdout
        assert str(field.description).split()[0] in outcome.stdout


def test_every_setting_is_an_option(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "endpointd.toml"
    file.write_text("")
    flags = {"config": str(file)} | EVERY_FLAG
    assert sorted(flags) == sorted(name for name, _ in single_settings())
    shown = json.loads(run("config", "--json", *as_arguments(flags)).stdout)
    effective = {name: one["value"] for name, one in shown["settings"].items()}
    lists = {"package_keys": ["x.pem"], "listen": ["[::1]:9"]}
    lists |= {"trusted_proxies": ["10.0.0.0/8"], "python_interpreters": ["p/python3"], "uv_find_links": ["w"]}
    lists |= {"allow_from": ["10.1.0.0/16"], "cors_origins": ["https://a.example"]}
    assert effective == flags | lists
    assert {one["source"] for one in shown["settings"].values()} == {flag_of(name) for name in flags}


def test_the_effective_settings_name_their_sources_and_mask_secrets(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "endpointd.toml"
    file.write_text('queue_size = 1\n[plugin."a/b"]\nconcurrency = 2\nenv = { TOKEN = "s3cret" }')
    arguments = ("config", "--clock-idle", 3)
    outcome = run(*arguments, ENDPOINTD_CONFIG=str(file), ENDPOINTD_LIMIT_BODY="2MiB")
    rows = {row.split()[0]: row.split()[1:] for row in outcome.stdout.splitlines()}
    assert rows["config"] == [str(file), "ENDPOINTD_CONFIG"]
    assert rows["queue_size"] == ["1", str(file)]
    assert rows["limit_body"] == ["2MiB", "ENDPOINTD_LIMIT_BODY"]
    assert rows["clock_idle"] == ["3", "--clock-idle"]
    assert rows["clock_kill"] == ["5", "default"]
    assert rows['plugin."a/b".concurrency'] == ["2", str(file)]
    as_json = run(*arguments, "--json", ENDPOINTD_CONFIG=str(file))
    assert json.loads(as_json.stdout)["plugin"] == {"a/b": {"concurrency": 2, "env.TOKEN": "********"}}
    assert "s3cret" not in outcome.stdout + as_json.stdout


BACKEND = """\
[backend.models]
type = "openai"
url = "http://127.0.0.1:1/v1"
key = { file = "models.key" }
[calls]
llm = "models"
[plugin."a/b".calls]
tts = "none"
"""


def test_the_effective_backends_name_the_places_of_their_keys(run: Run, tmp_path: Path) -> None:
    file, place = tmp_path / "endpointd.toml", f'{{ file = "{tmp_path}/models.key" }}'
    file.write_text(BACKEND)
    (tmp_path / "models.key").write_text("s3cret")
    rows = run("config", "--config", file, COLUMNS="300").stdout.splitlines()
    assert f"backend.models.key = {place} {file}".split() == next(
        row.replace("key ", "key = ", 1).split() for row in rows if row.startswith("backend.models.key")
    )
    shown = json.loads(run("config", "--config", file, "--json").stdout)
    assert shown["backend"] == {"models": {"type": "openai", "url": "http://127.0.0.1:1/v1", "key": place}}
    assert (shown["calls"], shown["plugin"]) == ({"llm": "models"}, {"a/b": {"calls.tts": "none"}})
    assert "s3cret" not in str(rows) + str(shown)


def test_a_key_that_is_not_there_keeps_the_daemon_from_starting(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "endpointd.toml"
    file.write_text(f'plugins = "."\nlisten = "127.0.0.1:0"\nlog_level = "error"\n{BACKEND}')
    outcome = run("serve", "--config", file)
    assert outcome.returncode == 2
    beginning = f'endpointd: error: backend.models.key = {{ file = "{tmp_path}/models.key" }}: the file '
    end = (
        " cannot be read: No such file or directory; put the key there, in a file that the daemon's user may read"
        " [backend_secret]\n"
    )
    # The path is there once more, and may be shortened.
    assert outcome.stderr.startswith(beginning)
    assert outcome.stderr.endswith(end)


def test_a_row_for_programs_is_one_line_however_long(run: Run) -> None:
    outcome = run("config", "--plugins", "x" * 300, COLUMNS="80")
    assert sum("x" * 300 in row for row in outcome.stdout.splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "config"])
def test_bad_settings_end_with_status_2_a_line_each_and_no_traceback(run: Run, command: str) -> None:
    outcome = run(command, "--clock-queue=-1", ENDPOINTD_LISTEN="nowhere")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    first, second = sorted(outcome.stderr.splitlines())
    assert first.startswith("endpointd: error: --clock-queue: clock_queue = '-1' cannot be used: ")
    assert second.startswith("endpointd: error: ENDPOINTD_LISTEN: listen = 'nowhere' cannot be used: ")


def test_a_missing_configuration_file_ends_with_status_2(run: Run, tmp_path: Path) -> None:
    outcome = run("serve", "--config", tmp_path / "none.toml")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith(f"endpointd: error: cannot read the configuration file {tmp_path}/none.toml: ")
    assert outcome.stderr.count("\n") == 1


def test_an_unknown_option_ends_with_status_2_and_a_suggestion(run: Run) -> None:
    outcome = run("serve", "--clock-drian", "1")
    assert outcome.returncode == 2
    assert "--clock-drain" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_misspelt_variable_is_pointed_out(run: Run) -> None:
    outcome = run("config", ENDPOINTD_CLOCK_QUEU="1")
    assert outcome.returncode == 0
    assert outcome.stderr == (
        "endpointd: warning: the environment variable ENDPOINTD_CLOCK_QUEU sets nothing; "
        "did you mean ENDPOINTD_CLOCK_QUEUE?\n"
    )


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_only(variables: dict[str, str], coloured: bool) -> None:
    terminal, child_side = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with open(terminal, "rb", buffering=0) as output:
        subprocess.run(
            [sys.executable, "-m", "endpointd", "config", "--clock-queue=-1"],
            env=environment | {"TERM": "xterm"} | variables,
            stderr=child_side,
            timeout=60,
            check=False,
        )
        os.close(child_side)
        written = output.read(100_000)
    assert (b"\x1b[1;31mendpointd: error: " in written) is coloured
    assert b"endpointd: error: " in written
