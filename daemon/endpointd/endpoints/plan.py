"""Computes what has to change so that the endpoints are as a file declares them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from endpointd.callers.reading import read_rules
from endpointd.callers.rules import KEYS
from endpointd.endpoints.declared import Declared
from endpointd.endpoints.values import is_same
from endpointd.endpoints.views import AppliedView, PlannedView
from endpointd.store.records import EndpointRecord


@dataclass(frozen=True, slots=True)
class Update:
    """A change of an endpoint. `index` is its position in the file; `changes` names what differs ("enabled",
    "settings.token")."""

    index: int
    record: EndpointRecord
    wanted: Declared
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes. They must be made as a whole, so that two endpoints can exchange their hook ids. `create` has
    positions in the file, too."""

    delete: tuple[EndpointRecord, ...]
    update: tuple[Update, ...]
    create: tuple[tuple[int, Declared], ...]
    unchanged: tuple[EndpointRecord, ...]

    def shown(self, *, dry_run: bool, made: Mapping[int, EndpointRecord] | None = None) -> AppliedView:
        """The plan for an operator. `made` are the records that were created, by their positions in the file."""
        known = made or {}
        create = [
            _planned(known[index]) if index in known else PlannedView(None, one.hook_id, one.plugin, one.name)
            for index, one in self.create
        ]
        return AppliedView(
            dry_run,
            tuple(create),
            tuple(_planned(one.record, one.changes) for one in self.update),
            tuple(map(_planned, self.delete)),
            tuple(map(_planned, self.unchanged)),
        )


def plan(current: Iterable[EndpointRecord], declared: Sequence[Declared]) -> Plan:
    """The plan for a file. `current` are all endpoints; those that were not declared by a file are left alone.

    A declared endpoint is matched with the existing one of the same plugin and name; else with the one that has the
    same hook id, which was renamed.
    """
    owned = {record.id: record for record in current if record.origin == "file"}
    pairs: dict[int, EndpointRecord] = {}
    for attribute in ("name", "hook_id"):
        known = {(record.plugin, getattr(record, attribute)): record for record in owned.values()}
        for index, wanted in enumerate(declared):
            found = known.get((wanted.plugin, getattr(wanted, attribute)))
            if index not in pairs and found is not None and found.id in owned:
                pairs[index] = owned.pop(found.id)
    updates = [
        Update(index, record, declared[index], _changes(record, declared[index]))
        for index, record in sorted(pairs.items())
    ]
    return Plan(
        tuple(owned.values()),
        tuple(update for update in updates if update.changes),
        tuple((index, wanted) for index, wanted in enumerate(declared) if index not in pairs),
        tuple(update.record for update in updates if not update.changes),
    )


def _changes(record: EndpointRecord, wanted: Declared) -> tuple[str, ...]:
    plain = {
        "name": record.name != wanted.name,
        "hook_id": wanted.hook_id not in (None, record.hook_id),
        "enabled": record.enabled != wanted.enabled,
    }
    callers, faults = read_rules(wanted.callers)
    plain |= {key: bool(faults) or getattr(record.callers, key) != getattr(callers, key) for key in KEYS}
    names = dict.fromkeys([*wanted.settings, *record.settings])
    changed = [name for name in names if not is_same(wanted.settings.get(name), record.settings.get(name))]
    return (*(name for name, is_another in plain.items() if is_another), *(f"settings.{name}" for name in changed))


def _planned(record: EndpointRecord, changes: tuple[str, ...] = ()) -> PlannedView:
    return PlannedView(record.id, record.hook_id, record.plugin, record.name, changes)
