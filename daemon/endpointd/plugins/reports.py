"""The report about each plugin that the daemon makes at its start, when it is known whether it runs. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PluginReport:
    """The result for one folder: the interfaces that answer, as (method, URL), or the reasons why there are none."""

    folder: str
    plugin: str | None
    interfaces: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    runs: bool = False
    """Whether the plugin runs. With reasons it means that the plugin runs, but has no endpoint."""
    is_building: bool = False
    """Whether the reason is only that the environment is still being built."""


Announce: TypeAlias = Callable[[str, Sequence[PluginReport]], None]
"""Called once, with the base URL and the report of each folder."""
