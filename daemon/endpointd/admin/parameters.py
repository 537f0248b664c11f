"""What several parts of the API are asked with."""

from typing import Annotated, TypeAlias

from fastapi import Depends

from endpointd.admin.names import id_of


def _plugin_id(author: str, name: str) -> str:
    """`~` stands for no author."""
    return id_of(author, name)


PluginId: TypeAlias = Annotated[str, Depends(_plugin_id)]
"""Of the path's `{author}` and `{name}`."""
