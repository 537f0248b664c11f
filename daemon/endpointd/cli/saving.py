"""Implements `endpointd backup` and `endpointd restore`."""

from dataclasses import replace
from pathlib import Path

from endpointd.admin.client import Client
from endpointd.admin.location import find_state, has_credential
from endpointd.admin.sockets import StateLock
from endpointd.backups.contents import Contents
from endpointd.backups.restoring import restore
from endpointd.backups.saving import Places, Saved, save
from endpointd.cli.configuration import load
from endpointd.cli.output import report_warning, tell
from endpointd.cli.owners import expect_owner
from endpointd.cli.progress import bar
from endpointd.errors import OperatorError
from endpointd.humane import moment, plural, size
from endpointd.manifest.findings import one_line
from endpointd.sealing.keyfile import KeyFile
from endpointd.service.units import KEY
from endpointd.settings.settings import Settings
from endpointd.storage import key_file, open_store, place_of

_ELSEWHERE = (
    "The database is a PostgreSQL server's and not in it: use pg_dump and pg_restore for that, at the same time."
)


def backup(file: Path, state: Path | None, config: Path | None, *, with_key: bool) -> None:
    settings = _settings(state, config)
    places = replace(_places(settings), plugins=_plugins(settings))
    with bar("saving …") as told:
        saved = save(places, file, told, with_key=with_key)
    contents = saved.contents
    _say(f"{file}: {_what(contents)}, {size(file.stat().st_size)}")
    if saved.links:
        some = ", ".join([*saved.links[:5], *(["…"] if len(saved.links) > 5 else [])])
        report_warning(one_line(f"left out, because they are links that lead out of the plugin's folder: {some}"))
    if not (contents.plugins or saved.failed):
        report_warning(
            one_line(f"there is no plugin in {places.plugins}: is it another directory? Name it in --config")
        )
    if contents.database != "sqlite":
        report_warning(_ELSEWHERE)
    if contents.has_key:
        _say("The key is in it: keep it as you keep the secrets themselves.")
    else:
        _say(f"The key is not in it. Keep a copy of {places.key.path} elsewhere: without it no secret can be read.")
    _expect_whole(saved, file)


def _expect_whole(saved: Saved, file: Path) -> None:
    for error in saved.failed:
        report_warning(one_line(str(error)))
    if saved.failed:
        raise OperatorError(
            "backup_incomplete",
            f"{plural(len(saved.failed), 'folder')} could not be saved; everything else is in {file}",
            "mend what the warnings name, and make another one",
        )


def restore_backup(file: Path, state: Path | None, config: Path | None, *, replace: bool) -> None:
    settings = _settings(state, config)
    places = _places(settings)
    places.state.mkdir(mode=0o711, parents=True, exist_ok=True)
    expect_owner(places.state)
    lock = StateLock(places.state)
    try:
        with bar("restoring …") as told:
            done = restore(file, places, told, replace=replace)
        _say(
            f"{_what(done.contents)}, as of {moment(done.contents.made_at)}, are in {places.state} and {places.plugins}"
        )
        for folder in done.aside:
            _say(f"What was there before is in {folder}.")
        if done.contents.database != "sqlite":
            report_warning(_ELSEWHERE)
        if places.key.path == key_file(settings).path:
            _try_secrets(settings)
        else:
            _say(f"Whether {places.key.path} opens the secrets the service's log will tell: it alone is given the key.")
    finally:
        lock.release()


def _try_secrets(settings: Settings) -> None:
    """Open the store, so that a fault such as a wrong key is reported now and not when the daemon starts."""
    try:
        open_store(settings).close()
    except OperatorError as error:
        report_warning(one_line(f"the daemon will not start like this: {error}"))


def _settings(state: Path | None, config: Path | None) -> Settings:
    flags = {"state": find_state(state, config)} | ({} if config is None else {"config": config})
    return load(flags).settings


def _places(settings: Settings) -> Places:
    return Places(settings.state.absolute(), settings.plugins.absolute(), place_of(settings), _key(settings))


def _key(settings: Settings) -> KeyFile:
    """The daemon's key file. For a service it is a credential of systemd, which commands do not get."""
    found = key_file(settings)
    if settings.secret_key is None and not found.is_credential and has_credential(settings.state):
        return KeyFile(Path(KEY), is_credential=True)
    return found


def _plugins(settings: Settings) -> Path:
    """The plugins directory: of the running daemon, which may have got it as a flag; else from the settings."""
    try:
        with Client(settings.state) as client:
            return Path(client.daemon()["plugins_directory"])
    except OperatorError:
        return settings.plugins.absolute()


def _what(contents: Contents) -> str:
    return f"{plural(len(contents.plugins), 'plugin')}" + (" and the database" if contents.database == "sqlite" else "")


def _say(text: str) -> None:
    tell(one_line(text))
