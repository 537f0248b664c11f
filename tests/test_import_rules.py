"""Who may import whom. Every module has its layer here; what a layer may import lies below it.

A new module belongs into one of the layers, or the first test fails.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"endpointd": "daemon", "endpointd_wire": "worker", "endpointd_worker": "worker"}
SDK = ROOT / "worker" / "endpointd_worker" / "sdk"

WIRE_LAYERS = ["errors messages", "frames states", "flow memory", "calls", "connection"]

WORKER_LAYERS = [
    "confine cooperative exiting native official places signatures slowness tasks texts tracebacks",
    "stdio waits",
    "streams",
    "calls",
    "answer body link loader",
    "environ logs pool",
    "invoke official.translation tasks.loop runtimes",
    "official.exchange tasks.outlet tasks.waiter",
    "tasks.answer tasks.body",
    "tasks.runner",
    "official.session cooperative.answerers cooperative.patching cooperative.waits",
    "cooperative.pool",
    "cooperative.runtime",
    "preload serve",
    "forked",
    "template",
    "bootstrap",
]

HOST_LAYERS = [
    # What everybody may know.
    "errors humane plugins.reports plugins.status toml",
    "sockets.addresses sockets.lifetime callers callers.networks callers.origins callers.rates settings.names",
    "systemd.activation settings.types settings.file systemd.watchdog",
    "settings.network",
    "settings.backends",
    "settings.plugin_limits",
    "settings.settings",
    "gateway.limits settings.reloading settings.headings",
    "callers.buckets callers.rules",
    # Pure: what plugins are, and what is decided about them.
    "manifest.* sealing.masking supervisor.state supervisor.backoff supervisor.failure supervisor.limits"
    " supervisor.latencies supervisor.pings supervisor.recycling gateway.forwarded gateway.heads gateway.problems"
    " backends.framing backends.sse supervisor.flood supervisor.idling observe observe.readiness",
    "callers.reading store.times supervisor.traffic",
    "callers.cors",
    "callers.guard",
    "environments.failures environments.requirements supervisor.cgroup_rules supervisor.rules sessions.caller"
    " sessions.errors",
    "environments.additions environments.projects sessions.backends sessions.permissions sessions.tally"
    " backends.prompts backends.results",
    "backends.choosing environments.needs",
    "environments.interpreters",
    "packages.checksum packages.errors packages.limits",
    "packages.names packages.seal",
    "packages.trust",
    "plugins.catalog endpoints store.records store.token_records access.errors access.failures access.limits"
    " access.secret access.views folders.filesystems folders.leftout plugins.routing folders.settling",
    "endpoints.declared endpoints.errors endpoints.values folders.ignoring",
    "endpoints.book endpoints.own endpoints.resolving endpoints.views",
    "access.service endpoints.hooks endpoints.neighbours endpoints.plan endpoints.secret_keys endpoints.service",
    # What touches the world.
    "backends.files backends.payloads backends.secrets backends.words sessions.calls",
    "backends.http",
    "backends.dify_api backends.dify_inner backends.openai",
    "backends.lines",
    "backends.switchboard",
    "channel.exchange logs.console logs.files logs.stream channel.memory sockets.transports",
    "channel.channel sockets.descriptors folders.disk folders.folder logs.journal logs.logs systemd.notify"
    " gateway.clocks gateway.date plugins.pins scaffold.* threads folders.tree"
    " sealing.keyring store.errors store.naming store.schema store.faults store.turns",
    "folders.included folders.resting packages.archive packages.keys packages.writing",
    "packages.making packages.receiving packages.signing",
    "packages.opening",
    "endpoints.declaration endpoints.drafts",
    "changes",
    "access.tokens endpoints.following endpoints.registry",
    "folders.digest sealing.keyfile store.documents store.engines store.migrations.*",
    "sessions.storage",
    "sessions.dispatch",
    "store.inspection",
    "store.key_table store.migrating",
    "store.token_store",
    "store.endpoint_store store.value_store",
    "store.rotation",
    "storage",
    "environments.declared installing.placing folders.paths plugins.releases installing.staging",
    "installing.arrivals plugins.intake folders.watch",
    "plugins.rollbacks",
    "supervisor.keeper supervisor.leaf supervisor.prctl supervisor.usage supervisor.users",
    "supervisor.delegation supervisor.reaper",
    "supervisor.cgroups",
    "supervisor.choice",
    "supervisor.admission supervisor.launch supervisor.news supervisor.output supervisor.process supervisor.starts",
    "supervisor.forks supervisor.refusals",
    "supervisor.worker",
    "supervisor.crew supervisor.orders supervisor.provision",
    "supervisor.losses supervisor.overseer supervisor.reception",
    "environments.finding environments.guard environments.sealing environments.uv plugins.loading",
    "environments.shelf",
    "environments.building",
    "environments.service",
    "supervisor.lives supervisor.setbacks",
    "supervisor.strength",
    "supervisor.rounds",
    "supervisor.foreman",
    "supervisor.supervisor",
    "gateway.client gateway.failures gateway.mount gateway.refusals gateway.upgrades",
    "gateway.asgi gateway.http gateway.visits sockets.tls sockets.unix_sockets",
    "gateway.relay",
    "gateway.answers gateway.trips",
    "gateway.mounted_request",
    "observe.requests tracing.exporting tracing.spans",
    "tracing.opening",
    "gateway.gateway",
    "gateway.waiting",
    "gateway.direct",
    "gateway.server",
    # Whole.
    "plugins.reporting plugins.versions",
    "plugins.mounts plugins.served",
    "plugins.plugins",
    "plugins.following plugins.housekeeping",
    "installing.installations observe.metrics",
    "observe.observation",
    "sockets.listeners systemd.manager service.units",
    "settings.reconfiguring",
    "admin.*",
    "console.chart console.figures console.language console.requests console.samples console.sessions",
    "console.caller_fields console.fields console.pages console.parts console.targets console.uploads",
    "console.door console.log_stream console.shell console.trying",
    "console.try_pages",
    "console.endpoint_pages console.install_pages console.plugin_pages",
    "console.app",
    "console.opening",
    "plugins.operations premises service.plan",
    "backups.*",
    "app service.machine",
    "cli.*",
    "__main__ testing.*",
]

LAYERS = {"endpointd_wire": WIRE_LAYERS, "endpointd_worker": WORKER_LAYERS, "endpointd": HOST_LAYERS}

PURE = {
    "endpointd_wire": "errors messages frames states flow memory calls connection",
    "endpointd_worker": "places signatures slowness texts official.translation",
    "endpointd": "sockets.addresses sockets.lifetime errors humane plugins.reports settings.names plugins.status"
    " settings.types"
    " settings.network settings.backends"
    " settings.plugin_limits settings.headings settings.file settings.settings settings.reloading toml"
    " callers callers.buckets callers.cors callers.guard callers.networks callers.origins callers.rates"
    " callers.reading callers.rules"
    " manifest.*"
    " supervisor.state supervisor.backoff supervisor.cgroup_rules supervisor.failure supervisor.limits supervisor.pings"
    " supervisor.recycling supervisor.rules supervisor.choice"
    " environments.failures environments.requirements environments.additions environments.projects environments.needs"
    " environments.interpreters"
    " gateway.forwarded gateway.heads gateway.limits gateway.problems plugins.catalog endpoints plugins.routing"
    " scaffold.names"
    " admin.names admin.problems cli.endpoint_names cli.typed_rules cli.typed_values testing.environ"
    " folders.filesystems folders.leftout folders.settling sealing.masking store.records store.token_records"
    " access.errors access.failures"
    " access.limits access.secret access.service access.views endpoints.declared endpoints.errors endpoints.values"
    " endpoints.book endpoints.own endpoints.views endpoints.hooks endpoints.neighbours endpoints.plan"
    " endpoints.service sessions.backends sessions.caller sessions.errors sessions.permissions sessions.tally"
    " backends.choosing backends.framing backends.prompts backends.results backends.sse"
    " systemd.activation systemd.watchdog service.units service.plan"
    " folders.ignoring packages.checksum packages.errors packages.limits packages.names packages.seal packages.trust"
    " supervisor.latencies supervisor.flood supervisor.traffic observe.readiness"
    " console.chart console.figures console.language console.caller_fields console.fields console.targets",
}
IMPURE = frozenset(["asyncio", "os", "random", "select", "signal", "socket", "subprocess", "threading", "time"])

THIRD_PARTY = {
    "endpointd_wire": {"msgpack"},
    "endpointd_worker": {"werkzeug"},
}
WITH_SDK = {"gevent"}
"""What the modules of `endpointd_worker.cooperative` need besides: it comes with Dify's SDK, for which they are."""
"""What the two packages need that run under a plugin's interpreter; `_typeshed` is for type checkers alone."""

CROSSING = {"endpointd_wire": set(), "endpointd_worker": {"endpointd_wire"}, "endpointd": {"endpointd_wire"}}
"""Which of the packages each may import besides itself."""


@cache
def modules(package: str) -> dict[str, Path]:
    """The modules of a package by name, without the package's own; a package inside it goes by its folder."""
    folder = ROOT / PACKAGES[package] / package
    found = {}
    for path in sorted(folder.rglob("*.py")):
        if not path.is_relative_to(SDK):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found.pop("")
    return found


@cache
def imports(path: Path) -> list[tuple[ast.stmt, str]]:
    """Each import of a file with what it names; `from a import b` names `a.b`, which may be a module or not."""
    return [*_imports(path)]


def _imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            yield from ((node, f"{node.module}.{name.name}") for name in node.names)


def top(name: str) -> str:
    return name.partition(".")[0]


def matches(pattern: str, module: str) -> bool:
    return pattern == module or (pattern.endswith(".*") and f"{module}.".startswith(pattern[:-1]))


def place(package: str, module: str) -> tuple[int, str]:
    """The number of the layer that a module is in, counted from below, and the name by which it is there."""
    layers = enumerate(LAYERS[package])
    found = [(number, name) for number, names in layers for name in names.split() if matches(name, module)]
    assert len(found) == 1, f"{package}.{module} is in {len(found)} layers; it belongs into one"
    return found[0]


def inner_imports(package: str, path: Path) -> Iterator[tuple[str, int]]:
    """The modules of the same package that a file imports, with the line."""
    known = modules(package)
    for node, name in imports(path):
        if top(name) != package:
            continue
        inner = name.partition(".")[2]
        module = inner if inner in known else inner.rpartition(".")[0]
        # What comes from the package itself (its version) is in no module.
        if module:
            yield module, node.lineno


NAMESPACES = {
    "access",
    "backups",
    "backends",
    "console",
    "environments",
    "gateway",
    "packages",
    "sealing",
    "service",
    "sessions",
}
NAMESPACES |= {"channel", "folders", "installing", "logs", "plugins", "settings", "sockets", "systemd"}
NAMESPACES |= {"store", "supervisor", "tracing"}
"""Packages whose modules are in several layers, and which hold nothing themselves but a docstring."""

EVERY_MODULE = [(package, module) for package in PACKAGES for module in modules(package) if module not in NAMESPACES]


@pytest.mark.parametrize(("package", "module"), EVERY_MODULE)
def test_a_module_imports_what_is_below_it(package: str, module: str) -> None:
    path = modules(package)[module]
    mine = place(package, module)
    for imported, line in inner_imports(package, path):
        theirs = place(package, imported)
        is_neighbour = theirs == mine and mine[1].endswith(".*")
        assert theirs[0] < mine[0] or is_neighbour, f"{path}:{line} imports {imported}, which is not below {module}"


def test_namespaces_hold_nothing() -> None:
    for module in NAMESPACES:
        assert not imports(modules("endpointd")[module])


def test_every_layer_has_a_module() -> None:
    for package, layers in LAYERS.items():
        known = modules(package)
        for names in layers:
            for name in names.split():
                assert name.removesuffix(".*") in known, f"{package} has no {name} any more"


def test_whatever_lies_in_the_host_has_its_place_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {top(module) for module in modules("endpointd") if "." in module}
    files = modules("endpointd").keys() - {"__main__"}
    missing = {name for name in folders if f"`{name}/" not in page}
    missing |= {name for name in files if "." not in name and name not in folders and f"`{name}.py`" not in page}
    assert not missing


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_else_crosses(package: str) -> None:
    for module, path in modules(package).items():
        for node, name in imports(path):
            if top(name) in PACKAGES and top(name) != package:
                assert top(name) in CROSSING[package], f"{package}.{module}, line {node.lineno}, imports {name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other(package: str) -> None:
    graph = {module: {name for name, _ in inner_imports(package, path)} for module, path in modules(package).items()}
    # CycleError names the modules.
    assert set(TopologicalSorter(graph).static_order()) == set(graph)


@pytest.mark.parametrize("package", PURE)
def test_pure_modules_know_no_world_and_nobody_who_does(package: str) -> None:
    known = modules(package)
    pure = {module for module in known for pattern in PURE[package].split() if matches(pattern, module)}
    for module in pure:
        impure = {name for _, name in imports(known[module]) if top(name) in IMPURE}
        assert not impure, f"{package}.{module} is pure and imports {impure}"
        assert {name for name, _ in inner_imports(package, known[module])} <= pure, f"{package}.{module}"


@pytest.mark.parametrize("package", THIRD_PARTY)
def test_a_plugins_environment_needs_little(package: str) -> None:
    allowed = sys.stdlib_module_names | THIRD_PARTY[package] | {package, "_typeshed"} | CROSSING[package]
    for module, path in modules(package).items():
        there = allowed | (WITH_SDK if module.startswith("cooperative.") else set())
        strange = {name for _, name in imports(path) if top(name) not in there}
        assert not strange, f"{package}.{module} imports {strange}"


def test_the_built_in_sdk_needs_werkzeug_alone() -> None:
    allowed = sys.stdlib_module_names | {"dify_plugin", "werkzeug"}
    for path in SDK.rglob("*.py"):
        assert {top(name) for _, name in imports(path)} <= allowed, path


def test_nobody_in_the_host_prints_but_the_command_line() -> None:
    for module, path in modules("endpointd").items():
        printing = {name for _, name in imports(path) if top(name) in ("rich", "typer")}
        assert not printing or module.startswith("cli"), f"endpointd.{module} imports {printing}"
