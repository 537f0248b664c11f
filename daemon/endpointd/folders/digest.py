"""Identifies the content of a plugin's folder: by a digest, for which every byte is read, or by a cheap signature."""

import hashlib
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from endpointd.folders.tree import MAX_FILES, FolderChanged, Item, Kind, link_text, pieces, survey, walk

DIGITS = 16
"""The length of a digest in hexadecimal digits: enough to distinguish all contents that one plugin will ever have."""

Signature: TypeAlias = str


def content_digest(folder: Path) -> str:
    """The digest of a folder. It depends on names, kinds, executable bits, links and contents, but not on where the
    folder is or when it was written. Raises `FolderChanged` or `ReleaseError`."""
    items = survey(folder)
    digest = digest_of(folder, items)
    expect_unchanged(folder, items)
    return digest


def digest_of(folder: Path, items: Sequence[Item]) -> str:
    """The digest of the items that `survey` has found. The folder may have changed since; see `expect_unchanged`."""
    whole = hashlib.sha256(b"endpointd release 1")
    for item in items:
        path = os.fsencode(item.path)
        kind = "executable" if item.is_executable else item.kind
        whole.update(f"\n{kind} {len(path)} ".encode() + path)
        if item.kind is Kind.LINK:
            whole.update(hashlib.sha256(os.fsencode(link_text(folder, item))).digest())
        elif item.kind is Kind.FILE:
            content = hashlib.sha256()
            for piece in pieces(folder, item):
                content.update(piece)
            whole.update(content.digest())
    return whole.hexdigest()[:DIGITS]


def expect_unchanged(folder: Path, items: Sequence[Item]) -> None:
    """Raise `FolderChanged` if the folder has changed since `items` were found."""
    if [item.mark for item in survey(folder)] != [item.mark for item in items]:
        raise FolderChanged(str(folder))


def signature(folder: Path) -> Signature:
    """A value that changes when anything in the folder changes. Opens no file. Never raises: errors, such as a missing
    folder, are a part of the value."""
    faults: list[str] = []
    found = islice(walk(folder, lambda error: faults.append(f"{error.errno} {error.filename!r}")), MAX_FILES + 1)
    marks = sorted(repr(item.mark) for item in found)
    return hashlib.sha256("\n".join(marks + sorted(faults)).encode()).hexdigest()[:32]
