"""What a daemon tells about each plugin once it is known whether it runs. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one folder: the interfaces that answer as (method, URL), or the reasons why there are none."""

    folder: str
    plugin: str | None
    interfaces: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    runs: bool = False
    """With reasons: it does run, and only has no endpoint."""
    is_building: bool = False
    """With reasons: nothing is wrong, its environment is being built."""


Announce: TypeAlias = Callable[[str, Sequence[PluginReport]], None]
"""Called once, with the base URL and the report of each folder."""
