"""Reads the secrets of backends from the places that the configuration names. Blocking."""

from collections.abc import Mapping
from pathlib import Path

from endpointd.endpoints.resolving import Unavailable, text_of_file
from endpointd.errors import UsageError
from endpointd.settings.backends import BackendTables, SecretPlace, secrets_of

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The environment variable with the folder of a service's credentials, set by systemd."""

LONGEST = 8 * 1024
"""The most characters of a key, which is sent in a header."""


def fetched(backends: BackendTables, environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """All secrets, by the backend's name and the key in its table. Raises `UsageError`, which names all that cannot be
    read."""
    found: dict[str, dict[str, str]] = {}
    faults: list[UsageError] = []
    for name, backend in backends.items():
        found[name] = {}
        for key, place in secrets_of(backend).items():
            try:
                found[name][key] = _fetch(place, environment)
            except Unavailable as absent:
                code, message, remedy = absent.finding
                if code == "reference_unreadable":
                    remedy = "put the key there, in a file that the daemon's user may read"
                faults.append(UsageError("backend_secret", f"backend.{name}.{key} = {place}: {message}", remedy))
    if faults:
        remedies = dict.fromkeys(fault.remedy for fault in faults)
        raise UsageError("backend_secret", "; ".join(fault.message for fault in faults), "; ".join(remedies))
    return found


def _fetch(place: SecretPlace, environment: Mapping[str, str]) -> str:
    """The secret at `place`. Raises `Unavailable`."""
    if place.kind == "env":
        value = environment.get(place.name)
        if value is None:
            raise Unavailable("", "there is no such environment variable", "set it where the daemon starts")
    elif place.kind == "file":
        value = text_of_file(Path(), place.name)
    else:
        value = _credential(place.name, environment)
    value = value.strip()
    if not value:
        raise Unavailable("", "it is empty", "write the secret there")
    if len(value) > LONGEST or not value.isascii() or not value.isprintable() or " " in value:
        raise Unavailable("", "what is there cannot be a key", "write the key there, and nothing else")
    return value


def _credential(name: str, environment: Mapping[str, str]) -> str:
    folder = environment.get(CREDENTIALS)
    if not folder:
        remedy = f"add LoadCredential={name}:PATH to the service, or name a file"
        raise Unavailable("", "systemd has given this process no credentials", remedy)
    if "/" in name:
        raise Unavailable("", "the name of a credential has no '/' in it", "give its name, or name a file")
    return text_of_file(Path(folder), name)
