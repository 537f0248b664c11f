"""The commands that control a daemon, as processes, against the real API before plugins that are fakes."""

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from cli.conftest import Run
from endpointd.admin.client import Client
from endpointd.admin.documents import PACKAGE
from endpointd.cli import installing
from endpointd.errors import OperatorError, UsageError
from endpointd.plugins.status import InterfaceStatus
from support.fake_control import BROKEN, NEKO, REFUSED, AdminHost, FakeControl


def plain(value: object) -> object:
    return json.loads(json.dumps(value))


# Telling


def test_the_list_has_a_row_for_each_folder(ask: Run) -> None:
    outcome = ask("list")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    heading, neko, broken, refused = outcome.stdout.splitlines()
    assert heading.split() == ["plugin", "version", "state", "since", "requests", "restarts", "memory", "URL"]
    assert re.fullmatch(
        r"acme/neko +1\.2\.0 +RUNNING +\d+ d( \d+ h)? +99 +3 +34\.0 MiB +http://127\.0\.0\.1:8080/e/neko/ *", neko
    )
    assert broken.split()[:3] == ["acme/broken", "0.1.0", "FATAL"]
    assert "the folder 'half'" in refused
    assert "REFUSED" in refused


def test_lists_for_programs_are_the_apis_documents(ask: Run) -> None:
    everything = [plain(status.as_dict()) for status in (NEKO, BROKEN, REFUSED)]
    assert json.loads(ask("list", "--json").stdout) == everything
    assert json.loads(ask("status", "neko", "--json").stdout) == everything[0]
    whole = json.loads(ask("status", "--json").stdout)
    assert whole["plugins"] == everything
    assert whole["daemon"]["pid"] == os.getpid()


def test_an_empty_directory_is_told_of(ask: Run, control: FakeControl) -> None:
    control.plugins.clear()
    assert ask("list").stdout == "the plugins directory is empty\n"
    assert "0 of 0 plugins running" in ask("status").stdout
    assert ask("list", "--json").stdout == "[]\n"


def test_the_status_of_all_begins_with_the_daemon(ask: Run, host: AdminHost) -> None:
    outcome = ask("status")
    assert outcome.returncode == 0
    daemon, where, count, _, *rows = outcome.stdout.splitlines()
    assert f"pid {os.getpid()}" in daemon
    assert where == f"serves http://127.0.0.1:8080, keeps its state in {host.state}"
    assert count == "1 of 3 plugins running"
    assert [row.split()[0] for row in rows] == ["acme/neko", "acme/broken", "the"]
    assert "the plugin cannot be loaded [load_failed]" in rows[1]
    assert "manifest.yaml: there is none [file_missing]" in rows[2]


@pytest.mark.parametrize(("name", "status"), [("neko", 0), ("acme/neko", 0), ("acme/broken", 3), ("half", 3)])
def test_the_exit_status_tells_whether_the_plugin_runs(ask: Run, name: str, status: int) -> None:
    for further in ((), ("--json",)):
        outcome = ask("status", name, *further)
        assert (outcome.returncode, outcome.stderr) == (status, "")


def test_the_status_of_a_plugin_tells_everything(ask: Run, control: FakeControl) -> None:
    other = InterfaceStatus("POST", f"http://127.0.0.1:8080/e/neko/{'x' * 300}")
    control.plugins["acme/neko"] = replace(
        NEKO,
        interfaces=(*NEKO.interfaces, other),
        failure=BROKEN.failure,
        findings=("manifest.yaml:3: no",),
        pinned=True,
        replacing="a new worker is starting",
    )
    told = ask("status", "neko", COLUMNS="40").stdout
    for part in (
        "acme/neko 1.2.0\n",
        "RUNNING (replacing) since 2023-11-",
        "a new worker is starting",
        "release   sha-new (rolled back to)",
        "older     sha-old\n          sha-older\n",
        "requests  99, 2 in flight, 1 waiting",
        "restarts  3",
        "worker    pid 4711, up 1 min 15 s, 41 requests, 2 in flight, memory 34.0 MiB, processor time 1.2 s",
        "failure   the plugin cannot be loaded [load_failed]",
        "          a.py:1: no",
        "its last output:\n            Trace\n            back\n",
        "findings  manifest.yaml:3: no",
        "URLs      GET,HEAD http://127.0.0.1:8080/e/neko/\n",
        f"          POST {other.url}\n",
    ):
        assert part in told, part


def test_an_older_version_than_the_folders_is_told_of_and_so_is_what_is_over(ask: Run, control: FakeControl) -> None:
    assert BROKEN.failure is not None
    control.plugins["acme/neko"] = replace(NEKO, behind=True, failure=BROKEN.failure)
    rows = [next(line for line in ask(command).stdout.splitlines() if "neko" in line) for command in ("list", "status")]
    assert all("RUNNING (an older version)" in row for row in rows)
    assert "the plugin cannot be loaded" in rows[1]
    assert "neko\n          what is in it cannot be served; an older version answers\n" in ask("status", "neko").stdout
    over = replace(BROKEN.failure, over_at=1_700_000_200.0)
    control.plugins["acme/neko"] = replace(NEKO, failure=over)
    row = next(line for line in ask("status").stdout.splitlines() if "neko" in line)
    assert "cannot be loaded" not in row
    assert "; over since 2023-11-14" in ask("status", "neko").stdout


def test_names_of_folders_cannot_steer_the_terminal(ask: Run, control: FakeControl) -> None:
    control.plugins["odd"] = replace(REFUSED, folder="a\x1b[2Jb\udce9", findings=("\x1b]0;title\x07",))
    for command in (("list",), ("status",)):
        outcome = ask(*command)
        assert (outcome.returncode, "\x1b" in outcome.stdout) == (0, False)


def test_states_have_their_colours_on_a_terminal(host: AdminHost) -> None:
    terminal, child_side = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    with open(terminal, "rb", buffering=0) as output:
        subprocess.run(
            [sys.executable, "-m", "endpointd", "list", "--state", host.state],
            env=environment | {"TERM": "xterm"},
            stdout=child_side,
            timeout=60,
            check=True,
        )
        os.close(child_side)
        written = output.read(100_000)
    assert b"\x1b[32mRUNNING" in written
    assert b"\x1b[1;31mFATAL" in written


# Acting


@pytest.mark.parametrize(("action", "state"), [("start", "RUNNING"), ("stop", "STOPPED"), ("restart", "RUNNING")])
def test_each_that_is_named_is_acted_on(ask: Run, control: FakeControl, action: str, state: str) -> None:
    outcome = ask(action, "neko", "broken-folder")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert control.calls == [(action, "acme/neko"), (action, "acme/broken")]
    assert [line.split(",")[0] for line in outcome.stdout.splitlines()] == [
        f"acme/neko 1.2.0 is {state}",
        f"acme/broken 0.1.0 is {state}",
    ]


def test_one_that_cannot_be_acted_on_does_not_keep_the_others_from_it(ask: Run, control: FakeControl) -> None:
    outcome = ask("restart", "nekko", "half", "broken")
    assert outcome.returncode == 1
    assert control.calls == [("restart", "acme/broken")]
    unknown, refused = outcome.stderr.splitlines()
    assert unknown == "endpointd: error: there is no plugin 'nekko'; did you mean acme/neko? [plugin_unknown]"
    assert refused.startswith("endpointd: error: the folder 'half' cannot be served: manifest.yaml: there is none")


@pytest.mark.parametrize(
    ("error", "status"), [(OperatorError("plugin_failed", "no", "see"), 1), (UsageError("a", "no", "see"), 2)]
)
@pytest.mark.parametrize("command", [("start", "neko"), ("rollback", "neko"), ("uninstall", "neko", "--yes")])
def test_what_was_not_done_is_told_on_stderr_and_by_the_exit_status(
    ask: Run, control: FakeControl, command: tuple[str, ...], error: OperatorError, status: int
) -> None:
    control.failure = error
    outcome = ask(*command)
    assert (outcome.returncode, outcome.stdout) == (status, "")
    assert outcome.stderr == f"endpointd: error: {error}\n"


def test_an_answer_that_is_not_what_was_asked_for_is_no_success(ask: Run, control: FakeControl) -> None:
    control.does_nothing = True
    outcome = ask("start", "broken")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "acme/broken is FATAL: the plugin cannot be loaded [load_failed]" in outcome.stderr


@pytest.mark.parametrize(("options", "release"), [((), "sha-old"), (("--release", "sha-older"), "sha-older")])
def test_a_rollback_says_which_release_runs(
    ask: Run, control: FakeControl, options: tuple[str, ...], release: str
) -> None:
    outcome = ask("rollback", "neko", *options)
    assert (outcome.returncode, outcome.stdout) == (0, f"acme/neko 1.2.0 is RUNNING, release {release}\n")
    assert control.calls == [("rollback", "acme/neko", release)]


def test_an_uninstall_wants_a_yes(ask: Run, control: FakeControl) -> None:
    outcome = ask("uninstall", "neko")
    assert (outcome.returncode, control.calls) == (2, [])
    assert "--yes" in outcome.stderr
    outcome = ask("uninstall", "neko", "--yes")
    assert (outcome.returncode, outcome.stdout) == (0, "acme/neko is uninstalled\n")
    assert control.calls == [("uninstall", "acme/neko")]


@pytest.mark.parametrize(("option", "replacing"), [((), False), (("--replace",), True), (("--no-replace",), False)])
def test_a_folder_is_sent_as_an_archive(
    ask: Run, control: FakeControl, tmp_path: Path, option: tuple[str, ...], replacing: bool
) -> None:
    folder = tmp_path / "neko"
    (folder / "endpoints").mkdir(parents=True)
    (folder / "manifest.yaml").write_text("name: neko\n")
    (folder / "endpoints" / "neko.py").write_text("nyan = 1\n")
    outcome = ask("install", folder, *option)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("acme/neko 1.2.0 is RUNNING")
    assert control.calls == [("install", "acme/neko", replacing)]
    with tarfile.open(fileobj=io.BytesIO(control.archive)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    assert contents == {"manifest.yaml": b"name: neko\n", "endpoints/neko.py": b"nyan = 1\n"}


def test_a_package_is_sent_as_it_is_and_its_warnings_are_told(ask: Run, control: FakeControl, tmp_path: Path) -> None:
    package = tmp_path / "neko.difypkg"
    package.write_bytes(b"PK and more")
    control.warnings = ("nobody vouches for it",)
    outcome = ask("install", package, "--replace")
    assert (outcome.returncode, outcome.stderr) == (0, "endpointd: warning: nobody vouches for it\n")
    assert outcome.stdout.startswith("acme/neko 1.2.0 is RUNNING")
    assert (control.calls, control.archive) == ([("install package", "acme/neko", True)], b"PK and more")
    document = json.loads(ask("install", package, "--json").stdout)
    assert (document["package"], document["warnings"]) == ("acme/neko:1.2.0@0123", ["nobody vouches for it"])


def test_as_much_is_sent_as_was_said(host: AdminHost, control: FakeControl) -> None:
    with Client(host.state) as client:
        client.install(io.BytesIO(b"PK and more"), 6, PACKAGE, replace=False)
        assert control.archive == b"PK and"
        with pytest.raises(UsageError, match="became shorter"):
            client.install(io.BytesIO(b"PK"), 6, PACKAGE, replace=False)


def test_on_a_terminal_a_long_upload_tells_how_far_it_is(host: AdminHost, control: FakeControl, tmp_path: Path) -> None:
    package = tmp_path / "large.difypkg"
    package.write_bytes(bytes(8 * 1024 * 1024))
    leader, follower = pty.openpty()
    command = [sys.executable, "-P", "-m", "endpointd", "install", str(package), "--state", str(host.state)]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(command, stderr=follower, stdout=subprocess.DEVNULL, env=environment) as done:
        os.close(follower)
        seen = b""
        # A terminal whose other side is gone is read with an error.
        with contextlib.suppress(OSError):
            while piece := os.read(leader, 65536):
                seen += piece
        os.close(leader)
    assert done.returncode == 0
    assert "sending" in seen.decode()
    assert "8.4 MB" in seen.decode()
    assert len(control.archive) == 8 * 1024 * 1024


def test_a_package_may_come_out_of_a_pipe(ask: Run, control: FakeControl, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(pipe.write_bytes, b"PK and more")
        outcome = ask("install", pipe)
        written.result()
    assert (outcome.returncode, outcome.stderr, control.archive) == (0, "", b"PK and more")


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(installing, "FIRST", 0.01)
    with pytest.raises(UsageError, match="nobody has written to"):
        installing.install(cast("Client", None), tmp_path / "pipe", replace=False, json=False)


def test_what_is_neither_file_nor_pipe_is_refused(ask: Run, control: FakeControl) -> None:
    outcome = ask("install", "/dev/null")
    assert (outcome.returncode, control.calls) == (2, [])
    assert "/dev/null is no file" in outcome.stderr


def test_only_what_is_there_can_be_installed(ask: Run, control: FakeControl, tmp_path: Path) -> None:
    outcome = ask("install", tmp_path / "none")
    assert (outcome.returncode, control.calls) == (2, [])
    assert "[package_unreadable]" in outcome.stderr


# Nobody there


@pytest.mark.parametrize("command", ["list", "status", "start x", "logs x", "install .", "rollback x", "uninstall x"])
def test_without_a_daemon_every_command_says_where_it_looked(run: Run, tmp_path: Path, command: str) -> None:
    outcome = run(*command.split(), "--state", tmp_path / "nowhere")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"endpointd: error: no daemon runs with the state directory {tmp_path}/nowhere; ")
    assert outcome.stderr.endswith(" [daemon_absent]\n")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.usefixtures("host")
def test_the_daemon_is_found_by_its_configuration_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "endpointd.toml"
    file.write_text('state = "state"')
    assert run("list", "--config", file).returncode == 0
    assert run("list", ENDPOINTD_CONFIG=str(file)).returncode == 0


def test_help_lists_the_commands_each_in_a_line_with_serve_first(run: Run) -> None:
    outcome = run("--help", COLUMNS="80")
    rows = re.findall(r"^│ ([a-z ]{9,12}) (.*?) +│$", outcome.stdout, re.MULTILINE)
    names = [name.strip() for name, _ in rows if name.strip()]
    assert names[0] == "serve"
    control = names[names.index("list") :]
    assert control == [
        "list",
        "status",
        "logs",
        "start",
        "stop",
        "restart",
        "rollback",
        "install",
        "uninstall",
        "reload",
        "endpoint",
        "secrets",
        "token",
        "env",
        "package",
        "keygen",
        "sign",
        "verify",
        "backup",
        "restore",
    ]
    assert all(text.endswith(".") for name, text in rows if name.strip() in control)


def test_the_configuration_is_read_again_and_what_waits_is_named(ask: Run, control: FakeControl) -> None:
    outcome = ask("reload")
    assert (outcome.returncode, outcome.stdout) == (0, "The configuration was read again.\n")
    assert outcome.stderr == "Only a new start changes: listen\n"
    control.failure = UsageError("settings_invalid", "limit_body is nonsense", "mend it")
    outcome = ask("reload")
    assert outcome.returncode == 2
    assert "limit_body is nonsense" in outcome.stderr
