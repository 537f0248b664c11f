"""The settings tables of the documentation, made from the declaration: `python -m endpointd.cli.reference FILE`."""

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from pydantic.fields import FieldInfo

from endpointd.settings.backends import BACKENDS, App, BackendSettings, Calls
from endpointd.settings.headings import heading_of, single_settings
from endpointd.settings.plugin_limits import PluginLimits, SharedLimits
from endpointd.settings.types import form_of, written

BEGIN = "<!-- settings: begin, made by `make docs` from the declaration -->"
END = "<!-- settings: end -->"


def updated(document: str) -> str:
    """`document` with current tables between its two marks. Raises ValueError if a mark is missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document needs the lines {BEGIN!r} and {END!r}")
    sections = [*_sections(), *_backend_sections(), _plugin_section()]
    return "\n".join([before + BEGIN, "", *sections, END + after])


def _sections() -> Iterable[str]:
    for heading, fields in groupby(single_settings(), key=lambda item: heading_of(item[0])):
        yield _section(heading, fields)


def _backend_sections() -> Iterable[str]:
    yield _section("In the table of any backend", BackendSettings.model_fields.items())
    for name, kind in BACKENDS.items():
        own = [item for item in kind.model_fields.items() if item[0] not in ("type", *BackendSettings.model_fields)]
        yield _section(f'Besides, with `type = "{name}"`', own)
    yield _section("In the table of an app of `dify-api`", App.model_fields.items())
    yield _section("In the table `calls`", Calls.model_fields.items())


def _plugin_section() -> str:
    shared = ", ".join(f"`{name}`" for name in SharedLimits.model_fields)
    only_here = [item for item in PluginLimits.model_fields.items() if item[0] not in SharedLimits.model_fields]
    return _section("In the table of one plugin", only_here) + f"\nBesides, with the meanings above: {shared}.\n"


def _section(heading: str, fields: Iterable[tuple[str, FieldInfo]]) -> str:
    rows = [_row(name, field) for name, field in fields]
    return "\n".join(
        [f"### {heading}", "", "| setting | default | accepts | meaning |", "| --- | --- | --- | --- |", *rows, ""]
    )


def _row(name: str, field: FieldInfo) -> str:
    default = written(field.default) if field.default_factory is None and not field.is_required() else ""
    none = "required" if field.is_required() else "none"
    cells = [f"`{name}`", f"`{default}`" if default else none, form_of(field).accepts, field.description or ""]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Rewrite the tables of the document that the first argument names."""
    document = Path(sys.argv[1])
    document.write_text(updated(document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
