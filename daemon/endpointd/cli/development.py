"""`endpointd dev`: serves one plugin while it is written, from a plugins directory with a single link in it."""

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endpointd.cli.caches import environments_cache, uv_cache
from endpointd.cli.configuration import Configuration, load
from endpointd.cli.given_values import values_of
from endpointd.cli.output import tell
from endpointd.cli.typed_values import Assignments
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.values import faults_of
from endpointd.endpoints.views import settings_of
from endpointd.errors import OperatorError, UsageError
from endpointd.folders.included import included_in
from endpointd.manifest.reading import read_plugin
from endpointd.settings.names import variable_of

FIXED: Mapping[str, object] = {"development": True, "log_format": "console"}


@dataclass(frozen=True, slots=True)
class Workshop:
    """What `endpointd dev` needs. `given` are values for the plugin's settings; `is_kept`: the state is kept
    afterwards."""

    configuration: Configuration
    given: Mapping[str, Any]
    is_kept: bool


@contextmanager
def workshop(folder: Path, flags: Mapping[str, object], given: Assignments) -> Iterator[Workshop]:
    """What it takes to serve the plugin in `folder` alone. All of it is gone afterwards, besides the state where
    `flags`, those that were given, or the environment names a place for that.

    UsageError: there is no such folder. OperatorError: the plugin cannot be given what was given for its settings.
    """
    if not folder.is_dir():
        raise UsageError(
            "not_a_directory", f"{folder} is not a directory", "name the folder that holds the plugin's manifest.yaml"
        )
    folder = folder.resolve()
    values = _values(folder, given) if given else {}
    is_kept = "state" in flags or bool(os.environ.get(variable_of("state")))
    with tempfile.TemporaryDirectory(prefix="endpointd-dev-") as root:
        plugins = Path(root, "plugins")
        plugins.mkdir()
        # Without leading dots: such a folder would be ignored as a plugin, but this one was asked for.
        os.symlink(folder, plugins / (folder.name.lstrip("._") or "plugin"))
        places = {"plugins": str(plugins), "environments": str(environments_cache())}
        if not is_kept:
            places["state"] = str(Path(root, "state"))
        # If values for settings are given, the automatic endpoint that uses them is wanted.
        own = {"auto_endpoints": True} if given else {}
        yield Workshop(load({**FIXED, **places, **uv_cache(), **own, **flags}), values, is_kept)


def print_state(made: Workshop) -> None:
    """Print what other commands need to reach the daemon, and whether its state is kept."""
    state = made.configuration.settings.state.absolute()
    tell(f"Other commands reach this daemon with --state {shlex.quote(str(state))}")
    if not made.is_kept:
        tell("Endpoints that they make, and what the plugin stores, are gone when it ends; --state DIR keeps them.")


def _values(folder: Path, given: Assignments) -> dict[str, Any]:
    """The given values. Missing ones are not an error: the daemon reports them, and an endpoint with the others may be
    created later."""
    reading = read_plugin(included_in(folder))
    if reading.plugin is None:
        errors = "; ".join(str(finding) for finding in reading.errors)
        raise OperatorError(
            "plugin_invalid",
            f"what {folder} can be given is not known, because it cannot be read: {errors}",
            "correct it, or leave out --set and --set-file",
        )
    values = values_of(given, settings_of(reading.plugin), is_whole=False)
    faults = [fault for fault in faults_of(reading.plugin, values, values) if fault.code != "value_missing"]
    if faults:
        raise EndpointInvalid(faults)
    return values
