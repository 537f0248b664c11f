"""The digest of a folder's content, and the signature by which a change is noticed."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.folders.digest import content_digest, signature
from support.folders import CHANGES, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_digest_and_signature(change: str, folder: Path) -> None:
    before = content_digest(folder), signature(folder)
    CHANGES[change](folder)

    assert content_digest(folder) != before[0]
    assert signature(folder) != before[1]


def test_a_change_that_hides_its_time_changes_the_signature(folder: Path) -> None:
    state, before = (folder / "manifest.yaml").stat(), signature(folder)
    (folder / "manifest.yaml").write_text("name: fish")
    os.utime(folder / "manifest.yaml", ns=(state.st_atime_ns, state.st_mtime_ns))

    assert signature(folder) != before


def test_every_folder_has_a_signature(tmp_path: Path) -> None:
    assert signature(tmp_path / "none") == signature(tmp_path / "none") != signature(tmp_path)


def test_a_folder_that_is_too_deep_and_has_names_that_are_not_unicode_has_a_signature(tmp_path: Path) -> None:
    """What cannot be read becomes a part of the signature, with its name."""
    before = signature(tmp_path)
    name, folder = b"\xff" * 255, os.open(tmp_path, os.O_RDONLY)
    for _ in range(17):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)

    assert signature(tmp_path) == signature(tmp_path) != before


FILES = st.dictionaries(st.sampled_from(["a", "b", "ab", "d/a", "d/b", "a1"]), st.binary(max_size=4))


@given(one=FILES, other=FILES)
def test_digests_are_equal_if_contents_are(
    one: dict[str, bytes], other: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    digests = []
    for content in (one, other):
        root = tmp_path_factory.mktemp("digest")
        for path, data in content.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(data)
        digests.append(content_digest(root))

    assert (digests[0] == digests[1]) == (one == other)
