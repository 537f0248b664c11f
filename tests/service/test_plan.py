"""What is to be done to install the service and to remove it, on machines that have some of it or all."""

from dataclasses import replace

import pytest

from endpointd.service.plan import Found, MakeKey, Remove, Run, Step, Write, installing, removing
from endpointd.service.units import CONFIG, KEY, Values, service_files

VALUES = Values(("/opt/endpointd/bin/endpointd",), ("127.0.0.1:8080",), 60)
FILES = service_files(VALUES)
SYSUSERS, TMPFILES, SOCKET, SERVICE = FILES
ALL = Found(
    {file.path: file.text for file in FILES},
    has_account=True,
    has_directories=True,
    has_config=True,
    has_key=True,
    is_enabled=True,
    is_active=True,
    version="1",
)


def install(found: Found, version: str = "1") -> list[Step]:
    return installing(FILES, "config", found, version)


def test_everything_is_made_where_there_is_nothing() -> None:
    reload, enable, start = (
        Run(("systemctl", "daemon-reload")),
        Run(("systemctl", "enable", "endpointd.socket", "endpointd.service")),
        Run(("systemctl", "start", "endpointd.socket", "endpointd.service")),
    )
    assert install(Found()) == [
        Write(SYSUSERS.path, SYSUSERS.text),
        Run(SYSUSERS.then),
        Write(TMPFILES.path, TMPFILES.text),
        Run(TMPFILES.then),
        Write(CONFIG, "config", private=True),
        MakeKey(KEY, "/var/lib/endpointd/secret.key"),
        Write(SOCKET.path, SOCKET.text),
        Write(SERVICE.path, SERVICE.text),
        reload,
        enable,
        start,
    ]


def test_nothing_is_done_where_all_is_there() -> None:
    assert install(ALL) == []


def restart(*units: str) -> Run:
    return Run(("systemctl", "restart", *units))


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (replace(ALL, has_account=False), [Run(SYSUSERS.then)]),
        (replace(ALL, has_directories=False), [Run(TMPFILES.then)]),
        (replace(ALL, has_key=False), [MakeKey(KEY, "/var/lib/endpointd/secret.key")]),
        (replace(ALL, needs_reload=True), [Run(SERVICE.then), restart("endpointd.service")]),
        (replace(ALL, is_active=False), [Run(("systemctl", "start", "endpointd.socket", "endpointd.service"))]),
        (replace(ALL, version="0"), [restart("endpointd.service")]),
        # It may be starting, or not be reached.
        (replace(ALL, version=None), []),
        (
            replace(ALL, texts=ALL.texts | {SERVICE.path: "old"}),
            [Write(SERVICE.path, SERVICE.text, replaces=True), Run(SERVICE.then), restart("endpointd.service")],
        ),
        (
            replace(ALL, texts=ALL.texts | {SOCKET.path: "old"}),
            [
                Write(SOCKET.path, SOCKET.text, replaces=True),
                Run(SOCKET.then),
                restart("endpointd.socket", "endpointd.service"),
            ],
        ),
    ],
)
def test_only_what_is_missing_is_done(found: Found, steps: list[Step]) -> None:
    assert install(found) == steps


def test_to_remove_it_touches_no_data() -> None:
    steps = removing(FILES, ALL, purge=False)
    assert steps[0] == Run(("systemctl", "disable", "--now", "endpointd.socket", "endpointd.service"))
    assert [step.path for step in steps if isinstance(step, Remove)] == [file.path for file in FILES]
    assert removing(FILES, Found(has_config=True, has_key=True), purge=False) == []


def test_a_purge_deletes_the_data_and_the_user() -> None:
    steps = removing(FILES, ALL, purge=True)
    assert [Remove("/var/lib/endpointd"), Remove("/etc/endpointd")] == steps[-4:-2]
    assert steps[-1] == Run(("userdel", "endpointd"))
