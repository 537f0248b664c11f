"""Implements the commands about the systemd service."""

import os
from collections.abc import Sequence
from ipaddress import ip_address

from endpointd import __version__
from endpointd.cli.asking import can_ask, confirm
from endpointd.cli.configuration import load
from endpointd.cli.output import print_json, stdout, tell
from endpointd.errors import OperatorError, UsageError
from endpointd.service.machine import (
    look,
    own_command,
    perform,
    properties,
    require_reach,
    require_root,
    require_systemd,
)
from endpointd.service.plan import Found, Step, installing, removing
from endpointd.service.units import (
    ACCOUNT,
    CONFIG,
    CONFIG_DIRECTORY,
    PLUGINS,
    SERVICE,
    STATE,
    STOP_MARGIN,
    ServiceFile,
    Values,
    first_config,
    service_files,
)
from endpointd.settings.settings import Settings
from endpointd.sockets.addresses import UNIX, split_listen

NOT_AS_IT_SHOULD_BE = 3
"""The exit status of `status` if the service is not installed, is outdated or does not run; the same as systemctl's."""


def install(*, dry_run: bool) -> None:
    if not dry_run:
        require_systemd()
        require_root()
    require_reach()
    values = _values()
    files = service_files(values)
    steps = installing(files, first_config(values), look(files), __version__)
    _do(steps, dry_run=dry_run)
    if not steps:
        tell("The service is installed and runs; there is nothing to do.")
    elif not dry_run:
        shown = ", ".join(_shown(address, encrypted=values.encrypted) for address in values.listen)
        tell(f"endpointd {__version__} runs as a service on {shown}.")
        tell(f"Plugins are in {PLUGINS}, the configuration is {CONFIG}. Try 'endpointd list'.")


def uninstall(*, purge: bool, confirmed: bool, dry_run: bool) -> None:
    if not dry_run:
        require_systemd()
        require_root()
    files = service_files(_defaults())
    steps = removing(files, look(files), purge=purge)
    if purge and steps and not confirmed and not dry_run:
        if not can_ask():
            raise UsageError("not_confirmed", f"{STATE} would be deleted with all that is in it", "say so with --yes")
        confirm(f"Delete all plugins, endpoints and secrets in {STATE} and {CONFIG_DIRECTORY}?")
    _do(steps, dry_run=dry_run)
    if not steps:
        tell("The service is not installed; there is nothing to do.")
    if not purge and os.path.isdir(STATE):
        tell(f"{STATE} and {CONFIG_DIRECTORY} stay as they are; 'endpointd service uninstall --purge' deletes them.")


def show(name: str | None) -> None:
    """Print one file of the service, or all of them, each preceded by its path, if no name is given."""
    values = _defaults()
    texts = {file.path: file.text for file in service_files(values)} | {CONFIG: first_config(values)}
    if name is None:
        _say("\n".join(f"# {path}\n{text}" for path, text in texts.items()).rstrip())
        return
    found = [text for path, text in texts.items() if name in (path, path.rpartition("/")[2])]
    if not found:
        raise UsageError("service_file_unknown", f"the service has no file {name!r}", f"name one of {', '.join(texts)}")
    # The first one of two with the same name; those of sysusers and tmpfiles can be chosen by their paths.
    _say(found[0].rstrip())


def status(*, json: bool) -> int:
    """Print the state of the service; returns the exit status."""
    files = service_files(_values())
    found = look(files)
    is_well = found.is_active and found.is_enabled and not _differing(files, found)
    state, text = properties("ActiveState")[-1] or "unknown", properties("StatusText")[-1]
    if json:
        print_json(
            {
                "installed": not _missing(files, found),
                "outdated": _differing(files, found),
                "enabled": found.is_enabled,
                "state": state,
                "status": text,
                "version": found.version,
            }
        )
    else:
        _describe(files, found, state, text)
    return 0 if is_well else NOT_AS_IT_SHOULD_BE


def _describe(files: Sequence[ServiceFile], found: Found, state: str, text: str) -> None:
    if missing := _missing(files, found):
        _say(f"not installed: {', '.join(missing)} missing")
    for path in sorted(set(_differing(files, found)) - set(missing)):
        _say(f"{path} is not what 'endpointd service install' would write")
    _say(f"{SERVICE} is {state}" + (f": {text}" if text else ""))
    _say(f"started at boot: {'yes' if found.is_enabled else 'no'}")
    if found.version not in (None, __version__):
        _say(f"version {found.version} runs, {__version__} is installed: systemctl restart endpointd")


def _missing(files: Sequence[ServiceFile], found: Found) -> list[str]:
    return [file.path for file in files if file.path not in found.texts]


def _differing(files: Sequence[ServiceFile], found: Found) -> list[str]:
    return [file.path for file in files if found.texts.get(file.path) != file.text]


def _values() -> Values:
    """The values from the service's configuration, or else the defaults. Raises `OperatorError` if the configuration
    cannot be used."""
    if os.path.isdir(CONFIG_DIRECTORY) and not os.access(CONFIG_DIRECTORY, os.X_OK):
        raise OperatorError(
            "service_not_readable",
            f"only root and members of the group {ACCOUNT} may read how the service is configured",
            "run the command with sudo",
        )
    if not os.path.exists(CONFIG):
        return _defaults()
    settings = load({"config": CONFIG}).settings
    grace = max(one.clock_drain + 2 * one.clock_kill for one in (settings, *settings.plugin.values()))
    for address in settings.listen:
        _check_for_systemd(address)
    return Values(own_command(), settings.listen, int(grace) + STOP_MARGIN, settings.tls_certificate is not None)


def _check_for_systemd(address: str) -> None:
    if address.startswith(UNIX):
        return
    try:
        ip_address(split_listen(address)[0])
    except ValueError:
        raise UsageError(
            "service_listen_invalid",
            f"{CONFIG}: listen = {address!r} has a name, and a socket of systemd an address",
            f"write an address, such as 127.0.0.1, in {CONFIG}",
        ) from None


def _defaults() -> Values:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    grace = defaults["clock_drain"] + 2 * defaults["clock_kill"]
    return Values(own_command(), defaults["listen"], int(grace) + STOP_MARGIN)


def _do(steps: Sequence[Step], *, dry_run: bool) -> None:
    for step in steps:
        if dry_run:
            _say(f"would {step}")
        else:
            tell(str(step))
            perform(step)


def _shown(address: str, *, encrypted: bool) -> str:
    return address if address.startswith(UNIX) else f"{'https' if encrypted else 'http'}://{address}"


def _say(text: str) -> None:
    stdout().print(text, soft_wrap=True)
