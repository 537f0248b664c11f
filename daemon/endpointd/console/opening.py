"""Gives the console to the administration's server, which builds it only if it listens on the network."""

from endpointd.admin.followers import Followers
from endpointd.admin.services import Console
from endpointd.console.parts import Parts

PATHS = ("/", "/console")
"""The console's paths. They need no API token, because the console has a login of its own."""


def console_of(parts: Parts) -> Console:
    def build(followers: Followers) -> object:
        # Imported only here, because a daemon without a console does not need templates.
        from endpointd.console.app import build_console

        return build_console(parts, followers)

    return Console(build, PATHS)
