"""Tells which plugin a path in the plugins directory belongs to, and where the plugins' folders really are.

`directory` is always the directory's real path: absolute, without links.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from endpointd.folders.digest import Signature, signature
from endpointd.folders.leftout import is_left_out, is_plugin_folder
from endpointd.folders.tree import Item, Kind, is_environment, may_be_folder, walk


def folder_of(directory: str, path: str) -> str:
    """The name of the plugin's folder that is, or contains, `path`; "" for the directory itself and paths outside."""
    return path[len(directory) + 1 :].split("/")[0] if path.startswith(directory + "/") else ""


def is_part_of_plugin(directory: str, path: str) -> bool:
    """Whether a path in the directory may be that of a plugin's folder or of something that belongs to the plugin."""
    name, *parts = path[len(directory) + 1 :].split("/")
    if not is_plugin_folder(name) or any(is_left_out(part) for part in parts):
        return False
    folder = os.path.join(directory, name)
    for part in parts:
        folder = os.path.join(folder, part)
        if is_environment(folder):
            return False
    return True


def link_targets(directory: str) -> dict[str, str]:
    """The plugins' folders that are symbolic links, with their targets; with their own path if that cannot be resolved.
    Raises OSError."""
    with os.scandir(directory) as entries:
        links = [entry for entry in entries if is_plugin_folder(entry.name) and entry.is_symlink()]
    return {link.name: _target(link.path) for link in links}


def _target(link: str) -> str:
    try:
        return os.path.realpath(link)
    except OSError:
        return link


def sharing(directory: str, names: set[str], links: Mapping[str, str]) -> set[str]:
    """`names`, and the names of all folders that, through links, are the same as one of them, contain it or are
    contained in it. The kernel reports a change only once, by one of the file's paths."""
    places = {links.get(name, os.path.join(directory, name)) for name in names}
    linked = {name for name, target in links.items() if any(_overlap(target, place) for place in places)}
    beside = {folder_of(directory, place) for place in places}
    return (names | linked | beside) - {""}


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def signatures(directory: str) -> dict[str, Signature]:
    """Of every folder that may hold a plugin. Raises `OSError`."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries if is_plugin_folder(entry.name) and may_be_folder(entry.path)]
    return {name: signature(Path(directory, name)) for name in names}


def leads_away(directory: str) -> bool:
    """Whether a plugin's folder has a link to a folder outside it. Such a plugin is not served, but watchfiles would
    follow the link and watch, say, all of `/usr`. Raises `OSError`."""
    with os.scandir(directory) as entries:
        roots = [os.path.realpath(entry.path) for entry in entries if os.path.isdir(entry.path)]
    return any(_is_away(root, item) for root in roots for item in walk(Path(root), lambda _: None))


def _is_away(root: str, item: Item) -> bool:
    path = os.path.join(root, item.path)
    return item.kind is Kind.LINK and os.path.isdir(path) and not f"{os.path.realpath(path)}/".startswith(f"{root}/")


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> set[str]:
    """The names that are in one only, or stand for something else in the other."""
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
