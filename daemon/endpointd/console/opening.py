"""The console for the administration's server, which builds it where browsers can reach it."""

from endpointd.admin.followers import Followers
from endpointd.admin.services import Console
from endpointd.console.parts import Parts

PATHS = ("/", "/console")
"""Where it is. It has a door of its own there."""


def console_of(parts: Parts) -> Console:
    def build(followers: Followers) -> object:
        # Templates are no matter of a daemon whose console nobody wants.
        from endpointd.console.app import build_console

        return build_console(parts, followers)

    return Console(build, PATHS)
