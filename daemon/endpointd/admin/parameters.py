"""Parameters that several routes of the API have in common."""

from typing import Annotated, TypeAlias

from fastapi import Depends

from endpointd.admin.names import id_of


def _plugin_id(author: str, name: str) -> str:
    """The id of the plugin in the path; the author `~` means that it has none."""
    return id_of(author, name)


PluginId: TypeAlias = Annotated[str, Depends(_plugin_id)]
"""A plugin's id, taken from `{author}` and `{name}` in the path."""
