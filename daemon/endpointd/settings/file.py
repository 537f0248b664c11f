"""Reads the configuration file (TOML) into a dict. Every error is a `UsageError` that names the file."""

from pathlib import Path

from endpointd.errors import UsageError
from endpointd.toml import parse

_FILES = ("ca_file", "file")


def read_settings_file(path: Path, folder_settings: frozenset[str]) -> dict[str, object]:
    """The top-level table of the file. Relative paths in `folder_settings`, and those of files in the tables of
    backends, are resolved against the file's folder.

    Raises `UsageError` if the file is missing, unreadable, not UTF-8 or not TOML, or names a configuration file itself.
    """
    try:
        values: dict[str, object] = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            "config_unreadable",
            f"cannot read the configuration file {path}: {error.strerror}",
            "correct the path given by --config or ENDPOINTD_CONFIG, or make the file readable",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            "config_malformed",
            f"the configuration file {path} is not UTF-8 text (byte {error.start})",
            "save it as UTF-8",
        ) from error
    except ValueError as error:
        raise UsageError(
            "config_malformed", f"the configuration file {path} is not valid TOML: {error}", "correct the file"
        ) from error
    if "config" in values:
        raise UsageError("config_nested", f"{path}: a configuration file cannot name another", "remove 'config'")
    found = {name: _beside(path, value) if name in folder_settings else value for name, value in values.items()}
    if isinstance(found.get("backend"), dict):
        found["backend"] = _files_beside(path, found["backend"])
    return found


def _beside(path: Path, value: object) -> object:
    """Resolve a relative path, or each of a list, against the file's folder: a service has no useful working
    directory."""
    if isinstance(value, list):
        return [_beside(path, one) for one in value]
    return path.absolute().parent / value if isinstance(value, str) else value


def _files_beside(path: Path, value: object) -> object:
    """The tables of backends with the paths of files in them resolved, at any depth."""
    if not isinstance(value, dict):
        return value
    return {
        name: str(_beside(path, one)) if name in _FILES and isinstance(one, str) else _files_beside(path, one)
        for name, one in value.items()
    }
