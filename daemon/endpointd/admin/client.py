"""A synchronous client of a running daemon, over the unix socket in its state directory.

All errors are raised as `OperatorError`: those that the daemon answers with, and those about a missing answer.
"""

import contextlib
import errno
import grp
import json
import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

import httpx

from endpointd import __version__
from endpointd.access.views import TokenView
from endpointd.admin.documents import (
    ARCHIVE,
    VERSION_HEADER,
    CreatedToken,
    DaemonStatus,
    LogLevelDocument,
    Reloaded,
    read,
)
from endpointd.admin.names import path_of
from endpointd.admin.problems import error_of
from endpointd.admin.sockets import SOCKET, OpenFolder
from endpointd.endpoints.secret_keys import Rotated
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView
from endpointd.errors import OperatorError, UsageError
from endpointd.logs.journal import Entry
from endpointd.plugins.status import EnvironmentStatus, InstalledStatus, PluginStatus

ANSWER = 10.0
"""Timeout in seconds for requests that only read."""

ACTION = 3600.0
"""Timeout in seconds for actions. The daemon's own timeouts are much shorter; this one is for a daemon that hangs."""

CHANGE = 120.0
"""Timeout in seconds for changes of endpoints and the like, which may wait for the database and for other changes."""

_PLUGINS = "/api/v1/plugins"
_ENVIRONMENTS = "/api/v1/environments"
_ENDPOINTS = "/api/v1/endpoints"
_LOG_LEVEL = "/api/v1/daemon/log-level"
_TOKENS = "/api/v1/tokens"
_CHUNK = 256 * 1024
_BASE = "http://endpointd"


class Client:
    """A client of the daemon with the state directory `state`. Methods return the API's JSON documents unchanged; they
    have been checked with `documents.read`. All raise `OperatorError`."""

    def __init__(self, state: Path) -> None:
        """Connect. Raises `OperatorError` if no daemon listens there, or if the user has no access to its socket."""
        self._state = state
        try:
            self._folder = OpenFolder(state)
        except OSError as error:
            raise _unreachable(state, error) from error
        try:
            self._knock()
        except OSError as error:
            self._folder.close()
            raise _unreachable(state, error) from error
        transport = httpx.HTTPTransport(uds=self._folder.path_of(SOCKET))
        self._http = httpx.Client(transport=transport, base_url=_BASE, timeout=ANSWER, trust_env=False)

    def _knock(self) -> None:
        """Test the connection. Raises the system's OSError, which httpx would hide."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(ANSWER)
            door.connect(self._folder.path_of(SOCKET))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._folder.close()

    def daemon(self) -> Any:  # noqa: ANN401 - JSON
        return self._ask("GET", "/api/v1/daemon", DaemonStatus)

    def version(self) -> str | None:
        """The daemon's version, which may differ from this command's; None if it does not report one."""
        with self._translated():
            version: str | None = self._http.get("/api/v1/daemon").headers.get(VERSION_HEADER)
        return version

    def reload(self) -> Any:  # noqa: ANN401
        return self._ask("POST", "/api/v1/daemon/reload", Reloaded, timeout=_patient(ACTION))

    def log_level(self) -> Any:  # noqa: ANN401
        return self._ask("GET", _LOG_LEVEL, LogLevelDocument)

    def set_log_level(self, level: str | None) -> Any:  # noqa: ANN401
        return self._ask("PUT", _LOG_LEVEL, LogLevelDocument, json={"level": level})

    def plugins(self) -> Any:  # noqa: ANN401
        return self._ask("GET", _PLUGINS, list[PluginStatus])

    def act(self, action: str, plugin_id: str, body: object = None) -> Any:  # noqa: ANN401
        """Perform an action on a plugin: "start", "stop", "restart" or "rollback"."""
        path = f"{_PLUGINS}/{path_of(plugin_id)}/{action}"
        return self._ask("POST", path, PluginStatus, json=body, timeout=_patient(ACTION))

    def uninstall(self, plugin_id: str) -> None:
        self._ask("DELETE", f"{_PLUGINS}/{path_of(plugin_id)}", None, timeout=_patient(ACTION))

    def install(self, file: IO[bytes], size: int, kind: str = ARCHIVE, *, replace: bool) -> Any:  # noqa: ANN401
        """Install the next `size` bytes of `file`, which are of the media type `kind`: `ARCHIVE` or `PACKAGE`. Raises
        `UsageError` if there are fewer bytes."""
        return self._ask(
            "POST",
            _PLUGINS,
            InstalledStatus,
            params={"replace": json.dumps(replace)},
            content=_exactly(size, file),
            headers={"Content-Type": kind, "Content-Length": str(size)},
            timeout=_patient(ACTION),
        )

    def log(self, plugin_id: str, lines: int, *, follow: bool) -> Iterator[str]:
        """Yield the latest lines of the plugin's journal as JSON texts; with `follow`, also new ones, until the daemon
        or the plugin ends."""
        path = f"{_PLUGINS}/{path_of(plugin_id)}/log"
        query = {"lines": str(lines), "follow": json.dumps(follow)}
        timeout = _patient(None if follow else ANSWER)
        with self._translated(), self._http.stream("GET", path, params=query, timeout=timeout) as answer:
            if not answer.is_success:
                answer.read()
                raise self._refusal(answer)
            for line in answer.iter_lines():
                self._understood(answer, Entry, line)
                yield line

    # Environments

    def environments(self) -> Any:  # noqa: ANN401
        return self._ask("GET", _ENVIRONMENTS, list[EnvironmentStatus], timeout=_patient(CHANGE))

    def prune_environments(self, *, dry_run: bool) -> Any:  # noqa: ANN401
        query = {"dry_run": json.dumps(dry_run)}
        path = f"{_ENVIRONMENTS}/prune"
        return self._ask("POST", path, list[EnvironmentStatus], params=query, timeout=_patient(ACTION))

    # Endpoints

    def endpoints(self, plugin_id: str | None = None) -> Any:  # noqa: ANN401
        """All endpoints, or those of one plugin."""
        query = {"plugin": plugin_id} if plugin_id is not None else None
        return self._ask("GET", _ENDPOINTS, list[EndpointView], params=query)

    def settings(self, plugin_id: str) -> Any:  # noqa: ANN401
        """The settings that endpoints of the plugin have."""
        return self._ask("GET", f"{_PLUGINS}/{path_of(plugin_id)}/settings", list[SettingView])

    def create_endpoint(self, wanted: object) -> Any:  # noqa: ANN401
        return self._ask("POST", _ENDPOINTS, EndpointView, json=wanted, timeout=_patient(CHANGE))

    def change_endpoint(self, endpoint_id: str, change: object) -> Any:  # noqa: ANN401
        path = f"{_ENDPOINTS}/{endpoint_id}"
        return self._ask("PATCH", path, EndpointView, json=change, timeout=_patient(CHANGE))

    def switch_endpoint(self, endpoint_id: str, *, enabled: bool) -> Any:  # noqa: ANN401
        action = "enable" if enabled else "disable"
        return self._ask("POST", f"{_ENDPOINTS}/{endpoint_id}/{action}", EndpointView, timeout=_patient(CHANGE))

    def delete_endpoint(self, endpoint_id: str) -> None:
        self._ask("DELETE", f"{_ENDPOINTS}/{endpoint_id}", None, timeout=_patient(CHANGE))

    def apply_endpoints(self, declared: object, *, dry_run: bool) -> Any:  # noqa: ANN401
        query = {"dry_run": json.dumps(dry_run)}
        path = f"{_ENDPOINTS}/apply"
        return self._ask("POST", path, AppliedView, json=declared, params=query, timeout=_patient(ACTION))

    def rotate_secrets(self) -> Any:  # noqa: ANN401
        return self._ask("POST", "/api/v1/secrets/rotate", Rotated, timeout=_patient(ACTION))

    # Tokens

    def tokens(self) -> Any:  # noqa: ANN401
        return self._ask("GET", _TOKENS, list[TokenView])

    def create_token(self, name: str, days: int | None) -> Any:  # noqa: ANN401
        return self._ask("POST", _TOKENS, CreatedToken, json={"name": name, "days": days}, timeout=_patient(CHANGE))

    def revoke_token(self, token_id: str) -> None:
        self._ask("DELETE", f"{_TOKENS}/{token_id}", None, timeout=_patient(CHANGE))

    def _ask(self, method: str, path: str, kind: Any, **details: Any) -> Any:  # noqa: ANN401
        """Send a request. Returns the response's document, which must be of the type `kind`; with None there is
        none."""
        with self._translated():
            answer = self._http.request(method, path, **details)
        if not answer.is_success:
            raise self._refusal(answer)
        return None if kind is None else self._understood(answer, kind, answer.content)

    def _understood(self, answer: httpx.Response, kind: Any, text: str | bytes) -> Any:  # noqa: ANN401
        """The document in `text`, which is the response's body or a line of it. Raises `OperatorError` if it is not of
        the type `kind`."""
        try:
            document = json.loads(text)
            read(kind, document)
        except (ValueError, RecursionError):
            raise self._of_another_version(answer, "it answers in another form") from None
        return document

    # Errors

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except UnicodeEncodeError:
            # Without the cause, because that contains the text, which may be a secret.
            raise UsageError(
                "text_encoding", "something that was given is not UTF-8", "give it as UTF-8, or from a file"
            ) from None
        except httpx.TimeoutException as error:
            raise _silent(self._state) from error
        except httpx.TransportError as error:
            raise OperatorError(
                "daemon_gone",
                f"the daemon of {self._state} ended before its answer was whole",
                "see its log, and start it again",
            ) from error

    def _refusal(self, answer: httpx.Response) -> OperatorError:
        """The error that the daemon has answered with, or that it must be of another version."""
        try:
            error = error_of(answer.json())
        except ValueError:
            error = None
        if error is None:
            return self._of_another_version(answer, f"status {answer.status_code}")
        if error.code == "api_unknown" and answer.headers.get(VERSION_HEADER) != __version__:
            return self._of_another_version(answer, error.message)
        return error

    def _of_another_version(self, answer: httpx.Response, because: str) -> OperatorError:
        version = answer.headers.get(VERSION_HEADER, "of an unknown version")
        return OperatorError(
            "daemon_version",
            f"the daemon of {self._state} is endpointd {version}, this command is {__version__}, and they do not"
            f" understand each other ({because})",
            "use the command of the daemon's installation, or start the daemon anew",
        )


def _exactly(size: int, file: IO[bytes]) -> Iterator[bytes]:
    while size > 0:
        piece = file.read(min(size, _CHUNK))
        if not piece:
            raise UsageError("package_unreadable", "it became shorter while it was sent", "try again when it is whole")
        size -= len(piece)
        yield piece


def _patient(read: float | None) -> httpx.Timeout:
    """A timeout of `read` seconds for the response (None: no limit), and short ones for connecting and sending."""
    return httpx.Timeout(ANSWER, read=read, write=60.0)


def _silent(state: Path) -> OperatorError:
    return OperatorError(
        "daemon_silent",
        f"the daemon of {state.absolute()} does not answer",
        "see whether its process is stopped or overloaded, and what its log says",
    )


def _unreachable(state: Path, error: OSError) -> OperatorError:
    if isinstance(error, TimeoutError):
        return _silent(state)
    if error.errno in (errno.EACCES, errno.EPERM):
        return OperatorError(
            "daemon_forbidden",
            f"you may not control the daemon of {state.absolute()}",
            f"do it as {_who_may(state)}",
        )
    return OperatorError(
        "daemon_absent",
        f"no daemon runs with the state directory {state.absolute()}",
        "start one with 'endpointd serve', or name another directory with --state or ENDPOINTD_STATE",
    )


def _who_may(state: Path) -> str:
    """The user who owns the daemon's socket, and the group that has access to it, for an error message."""
    for path in (state / SOCKET, state):
        with contextlib.suppress(OSError):
            found = os.stat(path)
            group = f" or as a member of the group {_group(found.st_gid)}" if found.st_mode & 0o070 else ""
            return f"the user {_user(found.st_uid)}{group}"
    return "the user whose daemon it is (sudo), or have it set admin_group to a group of yours"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
