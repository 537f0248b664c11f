"""Reads what a plugin says it needs: memory, permissions, an interpreter. All faults here are warnings."""

from dataclasses import dataclass

from endpointd.manifest.fields import Fields
from endpointd.manifest.files import PluginFiles, has_file
from endpointd.manifest.findings import Severity, shown
from endpointd.manifest.model import NO_PERMISSIONS, Permissions
from endpointd.manifest.nodes import Scalar
from endpointd.manifest.suggestions import one_of

MODELS = ("llm", "text_embedding", "rerank", "tts", "speech2text", "moderation")
ARCHITECTURES = ("amd64", "arm64")
# Bytes, the same three values as in Dify.
DEFAULT_STORAGE = 1_048_576
MIN_STORAGE, MAX_STORAGE = 1_024, 1_073_741_824

_RESOURCE_KEYS = ("memory", "permission")
_PERMISSION_KEYS = ("tool", "model", "node", "endpoint", "app", "storage")
_META_KEYS = ("version", "arch", "runner", "minimum_dify_version")
_RUNNER_KEYS = ("language", "version", "entrypoint")


@dataclass(frozen=True, slots=True)
class Resource:
    """The section `resource` of a manifest. `memory` is in bytes."""

    memory: int | None = None
    permissions: Permissions = NO_PERMISSIONS


@dataclass(frozen=True, slots=True)
class Meta:
    """The parts of the section `meta` of a manifest that are shown to an operator."""

    runner_version: str | None = None
    minimum_dify_version: str | None = None


def read_resource(manifest: Fields) -> Resource:
    """The memory and the permissions that the plugin asks for."""
    resource = _section(manifest, "resource", _RESOURCE_KEYS)
    if resource is None:
        return Resource()
    return Resource(_memory(resource), _permissions(resource))


def read_meta(manifest: Fields, files: PluginFiles) -> Meta:
    """The interpreter and the host that the plugin was written for."""
    meta = _section(manifest, "meta", _META_KEYS)
    if meta is None:
        return Meta()
    _expect_text(meta, "version", "version: 0.0.1")
    _check_architectures(meta)
    return Meta(_runner_version(meta, files), meta.text("minimum_dify_version"))


def _section(fields: Fields, name: str, keys: tuple[str, ...]) -> Fields | None:
    section = fields.fields(name, Severity.WARNING)
    if section is not None:
        section.warn_of_misspellings(keys)
    elif fields.node(name) is None:
        fields.missing(Severity.WARNING, name, f"{name}: and its keys below it")
    return section


def _expect_text(fields: Fields, name: str, example: str) -> str | None:
    text = fields.loose_text(name)
    if fields.node(name) is None:
        fields.missing(Severity.WARNING, name, example)
    return text


def _memory(resource: Fields) -> int | None:
    memory = resource.integer("memory")
    if resource.node("memory") is None:
        resource.missing(Severity.WARNING, "memory", "memory: 268435456, or another number of bytes")
    if memory is None or memory > 0:
        return memory
    resource.warning("memory", "memory_invalid", f"{memory} bytes is no amount of memory", "write more than 0")
    return None


def _permissions(resource: Fields) -> Permissions:
    permission = resource.fields("permission", Severity.WARNING)
    if permission is not None:
        permission.warn_of_misspellings(_PERMISSION_KEYS)
    if permission is None or not _is_enabled(permission, "endpoint"):
        message = "the plugin does not ask for the permission to serve endpoints, so Dify makes none"
        remedy = "write endpoint: and below it enabled: true"
        (permission or resource).warning(
            "endpoint" if permission else "permission", "endpoint_permission", message, remedy
        )
    if permission is None:
        return NO_PERMISSIONS
    return Permissions(
        tool=_is_enabled(permission, "tool"),
        models=_models(permission),
        node=_is_enabled(permission, "node"),
        endpoint=_is_enabled(permission, "endpoint"),
        app=_is_enabled(permission, "app"),
        storage=_is_enabled(permission, "storage"),
        storage_size=_storage_size(permission),
    )


def _is_enabled(permission: Fields, name: str) -> bool:
    flags = permission.fields(name, Severity.WARNING)
    return flags is not None and flags.boolean("enabled", Severity.WARNING)


def _models(permission: Fields) -> frozenset[str]:
    if not _is_enabled(permission, "model"):
        return frozenset()
    flags = permission.fields("model", Severity.WARNING)
    return frozenset(kind for kind in MODELS if flags is not None and flags.boolean(kind, Severity.WARNING))


def _storage_size(permission: Fields) -> int:
    storage = permission.fields("storage", Severity.WARNING)
    if storage is None or not storage.boolean("enabled", Severity.WARNING):
        return 0
    size = storage.integer("size")
    if size is None:
        return DEFAULT_STORAGE
    if not MIN_STORAGE <= size <= MAX_STORAGE:
        message = f"{size} bytes of storage is more or less than can be asked for"
        storage.warning("size", "storage_size", message, f"write {MIN_STORAGE} to {MAX_STORAGE}")
    return min(max(size, MIN_STORAGE), MAX_STORAGE)


def _check_architectures(meta: Fields) -> None:
    items = meta.items("arch", Severity.WARNING)
    if meta.node("arch") is None:
        meta.missing(Severity.WARNING, "arch", f"arch: and below it '- ' with {' or '.join(ARCHITECTURES)}")
    for item in items:
        name = item.text if isinstance(item, Scalar) else ""
        if name not in ARCHITECTURES:
            meta.warning("arch", "arch_unknown", f"{shown(name)} is not an architecture", one_of(ARCHITECTURES))


def _runner_version(meta: Fields, files: PluginFiles) -> str | None:
    runner = _section(meta, "runner", _RUNNER_KEYS)
    if runner is None:
        return None
    language = _expect_text(runner, "language", "language: python")
    if language not in (None, "python"):
        message = f"{shown(language)} is not a language that plugins are written in"
        runner.warning("language", "language_unknown", message, "write language: python")
    entrypoint = _expect_text(runner, "entrypoint", "entrypoint: main")
    if entrypoint is not None and not _is_module(files, entrypoint):
        message = f"there is no module {shown(entrypoint)}, which Dify runs"
        runner.warning("entrypoint", "entrypoint_missing", message, "write its file, such as main.py for main")
    return _expect_text(runner, "version", 'version: "3.12"')


def _is_module(files: PluginFiles, name: str) -> bool:
    path = name.replace(".", "/")
    return has_file(files, f"{path}.py") or has_file(files, f"{path}/__main__.py")
