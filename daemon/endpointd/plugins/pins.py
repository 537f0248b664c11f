"""The plugins that an operator has rolled back to an older release; stored in a file in the state directory.

A pin is valid as long as the folder's content is that from which the plugin was rolled back. If another version is put
there, that one is wanted.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from endpointd.errors import OperatorError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pin:
    """`release` runs instead of the folder's content `instead_of`; both are digests."""

    release: str
    instead_of: str


class Pins:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._pins = _read(file)

    def get(self, plugin_id: str) -> Pin | None:
        return self._pins.get(plugin_id)

    def all(self) -> Mapping[str, Pin]:
        """All pins, by the plugins' ids."""
        return dict(self._pins)

    def set(self, plugin_id: str, pin: Pin | None) -> None:
        """Set the plugin's pin, or remove it with None. Raises `OperatorError`, and nothing has changed then."""
        if self._pins.get(plugin_id) == pin:
            return
        pins = {name: held for name, held in self._pins.items() if name != plugin_id}
        if pin is not None:
            pins[plugin_id] = pin
        try:
            _write(self._file, pins)
        except OSError as error:
            raise OperatorError(
                "state_unusable",
                f"{self._file} cannot be written: {error.strerror}",
                "make room there, or let the user that runs the daemon write there",
            ) from error
        self._pins = pins


def _read(file: Path) -> dict[str, Pin]:
    try:
        return {name: Pin(**pin) for name, pin in json.loads(file.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        # Without pins, the folders' own contents are served, which is acceptable.
        _log.error("pins.unreadable", file=str(file), error=str(error))
        return {}


def _write(file: Path, pins: Mapping[str, Pin]) -> None:
    """Replace the file atomically, so that it is complete even after a power cut."""
    text = json.dumps({name: asdict(pin) for name, pin in sorted(pins.items())}, indent=2)
    new = file.with_suffix(".new")
    with new.open("w", encoding="utf-8") as handle:
        handle.write(text + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(file)
