"""Reads what a manifest says about the plugin itself: its identity, and how it is presented."""

import re
from collections.abc import Callable
from datetime import date, datetime

from endpointd.manifest.fields import Fields
from endpointd.manifest.files import FileProblem, Kind, PluginFiles, normal_path
from endpointd.manifest.findings import Severity, shown
from endpointd.manifest.model import Plugin
from endpointd.manifest.needs import read_meta, read_resource
from endpointd.manifest.nodes import Scalar
from endpointd.manifest.suggestions import meant
from endpointd.manifest.texts import read_text

ASSETS = "_assets"
TAGS = (
    *("search", "image", "videos", "weather", "finance", "design", "travel", "social", "news", "medical"),
    *("productivity", "education", "business", "entertainment", "utilities", "agent", "rag", "other", "trigger"),
)

_KEYS = (
    *("version", "type", "author", "name", "label", "description", "icon", "icon_dark", "created_at", "resource"),
    *("plugins", "meta", "tags", "privacy", "repo", "verified"),
)
_NAME = re.compile(r"[a-z0-9_-]{1,128}")
_AUTHOR = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){2}(-\w{1,16})?", re.ASCII)
# The grammar of Python package versions (PEP 440), which Dify's SDK accepts.
_PYTHON_VERSION = re.compile(
    r"v?(\d+!)?\d+(\.\d+)*"
    r"([-_.]?(a|alpha|b|beta|c|rc|pre|preview)([-_.]?\d+)?)?"
    r"(-\d+|[-_.]?(post|rev|r)([-_.]?\d+)?)?"
    r"([-_.]?dev([-_.]?\d+)?)?"
    r"(\+[a-z0-9]+([-_.][a-z0-9]+)*)?",
    re.ASCII | re.IGNORECASE,
)
MAX_VERSION = 100


def read_header(manifest: Fields, files: PluginFiles) -> Plugin | None:
    """The plugin without its groups; None, with the errors in the manifest's report, if it has no valid identity."""
    manifest.warn_of_misspellings(_KEYS)
    _check_type(manifest)
    author, name, version = _author(manifest), _name(manifest), _version(manifest)
    has_assets = _has_assets(manifest, files)
    if manifest.node("icon") is None:
        manifest.missing(Severity.WARNING, "icon", f"icon: and the name of a file in '{ASSETS}'")
    resource, meta = read_resource(manifest), read_meta(manifest, files)
    header = Plugin(
        name=name or "",
        version=version or "",
        groups=(),
        author=author,
        label=read_text(manifest, "label", required=True),
        description=read_text(manifest, "description", required=True),
        icon=_icon(manifest, files, "icon") if has_assets else None,
        icon_dark=_icon(manifest, files, "icon_dark") if has_assets else None,
        created_at=_created_at(manifest),
        tags=_tags(manifest),
        privacy=manifest.text("privacy"),
        repo=manifest.text("repo"),
        memory=resource.memory,
        permissions=resource.permissions,
        runner_version=meta.runner_version,
        minimum_dify_version=meta.minimum_dify_version,
    )
    return None if name is None or version is None else header


def _check_type(manifest: Fields) -> None:
    kind = manifest.text("type", Severity.ERROR)
    if kind is not None and kind != "plugin":
        manifest.error("type", "type_unknown", f"{shown(kind)} is not a plugin", "write type: plugin")
    if manifest.node("type") is None:
        manifest.missing(Severity.WARNING, "type", "type: plugin")


def _name(manifest: Fields) -> str | None:
    name = manifest.text("name", Severity.ERROR)
    if name is None:
        if manifest.node("name") is None:
            manifest.missing(Severity.ERROR, "name", "name: and the plugin's name")
        return None
    return _matching(manifest, "name", name, _NAME.fullmatch, "use 1 to 128 of the characters a-z 0-9 _ -")


def _author(manifest: Fields) -> str | None:
    author = manifest.text("author", Severity.ERROR)
    if author is None:
        if manifest.node("author") is None:
            manifest.missing(Severity.WARNING, "author", "author: and the author's name")
        return None
    if author != author.lower() and _AUTHOR.fullmatch(author):
        message = f"{shown(author)} has upper-case letters, which Dify refuses when installing"
        manifest.warning("author", "author_case", message, f"write {author.lower()}")
    return _matching(manifest, "author", author, _AUTHOR.fullmatch, "use 1 to 64 of the characters a-z 0-9 _ -")


def _version(manifest: Fields) -> str | None:
    version = manifest.text("version", Severity.ERROR)
    if version is None:
        if manifest.node("version") is None:
            manifest.missing(Severity.ERROR, "version", "version: 0.0.1, or another with three numbers")
        return None
    if _VERSION.fullmatch(version):
        return version
    remedy = "write three numbers, such as 0.1.0"
    found = _matching(manifest, "version", version, _python_version, remedy)
    if found is not None:
        message = f"{shown(version)} does not have three numbers, which Dify requires when installing"
        manifest.warning("version", "version_unusual", message, remedy)
    return found


def _python_version(text: str) -> re.Match[str] | None:
    return _PYTHON_VERSION.fullmatch(text) if len(text) <= MAX_VERSION else None


def _matching(
    fields: Fields, name: str, text: str, matches: Callable[[str], re.Match[str] | None], remedy: str
) -> str | None:
    if matches(text):
        return text
    fields.error(name, f"{name}_invalid", f"{shown(text)} cannot be the {name} of a plugin", remedy)
    return None


def _has_assets(manifest: Fields, files: PluginFiles) -> bool:
    if files.kind(ASSETS) is Kind.DIRECTORY:
        return True
    message = f"there is no folder '{ASSETS}', so Dify does not start the plugin"
    manifest.warning("icon", "assets_missing", message, f"make the folder '{ASSETS}' with the icon in it")
    return False


def _icon(manifest: Fields, files: PluginFiles, name: str) -> str | None:
    icon = manifest.text(name)
    if icon is None:
        return None
    try:
        files.check(f"{ASSETS}/{normal_path(icon)}")
    except FileProblem as problem:
        message = f"the icon cannot be used: {problem.message}"
        manifest.warning(name, "icon_missing", message, f"put it into '{ASSETS}' and write its name only")
        return None
    return icon


def _created_at(manifest: Fields) -> str | None:
    node = manifest.node("created_at")
    if node is None:
        manifest.missing(Severity.WARNING, "created_at", "created_at: 2026-01-31T12:00:00Z, or another time")
        return None
    if isinstance(node, Scalar) and (isinstance(node.value, date) or _is_time(node.text)):
        return node.text
    message = "this is not a time that Dify can read"
    manifest.warning("created_at", "created_at_invalid", message, "write it as 2026-01-31T12:00:00Z")
    return None


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _tags(manifest: Fields) -> tuple[str, ...]:
    tags = []
    for node in manifest.items("tags", Severity.WARNING):
        if isinstance(node, Scalar) and node.text in TAGS:
            tags.append(node.text)
            continue
        tag = node.text if isinstance(node, Scalar) else ""
        message = f"{shown(tag)} is not a tag that Dify knows"
        manifest.warning("tags", "tag_unknown", message, meant(tag, TAGS))
    return tuple(tags)
