"""Decides which release of a plugin serves: the folder's content, or an older one that an operator has rolled back
to."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from endpointd.errors import OperatorError, UsageError
from endpointd.plugins.catalog import Entry
from endpointd.plugins.intake import Intake
from endpointd.plugins.pins import Pin, Pins
from endpointd.plugins.releases import FolderChanged, Release, Releases

_log = structlog.get_logger()


class Rollbacks:
    """`releases` is None in development mode, which has no rollbacks. `kept` returns how many older releases are
    kept."""

    def __init__(self, pins: Pins, releases: Releases | None, intake: Intake, kept: Callable[[], int]) -> None:
        self._kept = kept
        self._pins = pins
        self._releases = releases
        self._intake = intake
        self._read: dict[tuple[str, str], tuple[str, Entry | None]] = {}
        """By folder and plugin: the digest of the pinned release, and its entry; None if it is invalid or is gone."""

    def prepare(self, entry: Entry) -> None:
        """Read what `choose` will need. Blocking, to be used in a thread."""
        pin = self._pins.get(entry.plugin.id) if entry.plugin is not None else None
        if entry.plugin is not None and pin is not None and pin.instead_of == entry.digest:
            self._read[entry.folder, entry.plugin.id] = pin.release, self._older(entry, entry.plugin.id, pin)

    def choose(self, entry: Entry) -> Entry:
        """The entry to serve instead of `entry`, or `entry` itself. Does not block if `prepare` was called before."""
        assert entry.plugin is not None
        pin = self._pins.get(entry.plugin.id)
        if pin is None:
            return entry
        if pin.instead_of == entry.digest:
            key = (entry.folder, entry.plugin.id)
            if self._read.get(key, ("", None))[0] != pin.release:
                self.prepare(entry)
            _, older = self._read[key]
            if older is not None:
                return older
        try:
            self._pins.set(entry.plugin.id, None)
        except OperatorError as error:
            # The pin has no effect anyway, unless the folder gets the same content again.
            _log.warning("pins.not_written", plugin=entry.plugin.id, message=error.message, remedy=error.remedy)
        return entry

    def _older(self, entry: Entry, plugin_id: str, pin: Pin) -> Entry | None:
        release = self._find(plugin_id, pin.release)
        if release is None:
            return None
        older = self._intake.retake(entry.folder, plugin_id, release.path, release.digest)
        return older if older.plugin is not None else None

    def is_pinned(self, plugin_id: str) -> bool:
        return self._pins.get(plugin_id) is not None

    def pinned(self, plugin_id: str) -> Pin | None:
        """The plugin's pin, to be passed to `restore`."""
        return self._pins.get(plugin_id)

    def pin(self, entry: Entry, release: Release) -> Pin | None:
        """Pin `release`, so that it serves instead of the entry's content. Returns the previous pin, for `restore`.
        Blocking."""
        assert entry.digest is not None
        before = self._pins.get(release.plugin_id)
        own = release.digest == entry.digest
        self._pins.set(release.plugin_id, None if own else Pin(release.digest, entry.digest))
        return before

    def restore(self, plugin_id: str, pin: Pin | None) -> None:
        self._pins.set(plugin_id, pin)

    def previous(self, plugin_id: str, serving: str | None) -> list[Release]:
        """The releases to which one can roll back, the latest first. Those that never served may be broken and are not
        among them."""
        if self._releases is None:
            return []
        return [release for release in self._releases.proved(plugin_id) if release.digest != serving]

    def target(self, plugin_id: str, serving: str | None, wanted: str | None) -> Release:
        """The release that `wanted` names by its digest or the beginning of it, or the latest one. Raises
        `UsageError`."""
        found = [one for one in self.previous(plugin_id, serving) if one.digest.startswith(wanted or "")]
        if found:
            return found[0]
        what = f"no release {wanted!r} of {plugin_id} to go back to" if wanted else f"nothing older of {plugin_id}"
        raise UsageError("release_unknown", f"there is {what}", f"'endpointd status {plugin_id}' lists what there is")

    async def in_service(self, plugin_id: str, digests: list[str]) -> None:
        """Record that the first of these releases serves, and remove old ones. The others in `digests` are kept,
        because they may serve again."""
        try:
            await asyncio.to_thread(self._note, plugin_id, digests)
        except OperatorError as error:
            _log.warning("releases.not_tidied", plugin=plugin_id, message=error.message, remedy=error.remedy)

    def _note(self, plugin_id: str, digests: list[str]) -> None:
        serving = self._find(plugin_id, digests[0]) if digests else None
        if self._releases is not None and serving is not None:
            self._releases.touch(serving)
            self._releases.prune(plugin_id, self._kept(), digests)

    def forget(self, plugin_id: str) -> None:
        """Remove everything of a plugin that was uninstalled. Blocking."""
        self._pins.set(plugin_id, None)
        self._read = {key: older for key, older in self._read.items() if key[1] != plugin_id}
        if self._releases is not None:
            self._releases.remove_all(plugin_id)

    def entries(self, plugin_id: str, folder: str) -> list[Entry]:
        """An entry for each release of the plugin in `folder`. Blocking."""
        found = []
        for release in self._all(plugin_id):
            with suppress(FolderChanged):
                found.append(self._intake.retake(folder, plugin_id, release.path, release.digest))
        return found

    def _find(self, plugin_id: str, digest: str) -> Release | None:
        return next((one for one in self._all(plugin_id) if one.digest == digest), None)

    def _all(self, plugin_id: str) -> list[Release]:
        return [] if self._releases is None else self._releases.previous(plugin_id)
