"""The zip reader: what a package is, comes out whole; what is anything else, is refused, whatever it says of itself."""

import hashlib
import io
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpointd.packages.archive import Archive
from endpointd.packages.checksum import checksum_of
from endpointd.packages.errors import PackageError
from endpointd.packages.limits import UNRATED, PackageLimits
from endpointd.packages.names import check_names
from endpointd.packages.writing import Writer
from support.packages import LIMITS, Unpacked, linked, zipped

MIB = 1024 * 1024


def refusal(package: bytes, limits: PackageLimits = LIMITS) -> PackageError:
    with pytest.raises(PackageError) as refused:
        Unpacked(package, limits)
    assert refused.value.remedy
    return refused.value


def written(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    writer = Writer(out)
    for name, content in files:
        writer.add(name, [content])
    writer.finish()
    return out.getvalue()


def patched(package: bytes, old: bytes, new: bytes, *, count: int = -1) -> bytes:
    assert len(old) == len(new)
    assert old in package
    return package.replace(old, new, count)


# Honest


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_was_put_in_comes_out(method: int) -> None:
    files = {"manifest.yaml": b"name: x", "a/b/c.py": b"c" * 200_000, "empty": b"", "ü/日本": b"\0\xff"}
    unpacked = Unpacked(zipped(*files.items(), method=method))

    assert unpacked.files == files
    assert unpacked.received.size == sum(map(len, files.values()))
    assert unpacked.received.checksum == checksum_of([(n, hashlib.sha256(c).digest()) for n, c in files.items()])


def test_a_package_that_was_written_into_a_pipe() -> None:
    class Pipe(io.RawIOBase):
        """Cannot go back, so that sizes follow the contents."""

        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += memoryview(data)  # type: ignore[arg-type]
            return len(memoryview(data))  # type: ignore[arg-type]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a", b"aaa")
        made.writestr("b", b"bbb")
    assert Unpacked(bytes(pipe.data)).files == {"a": b"aaa", "b": b"bbb"}


def test_the_checksum_is_the_one_that_dify_computes() -> None:
    """Worked out by hand: SHA-256 over, for each path in order, SHA-256(path) and SHA-256(content)."""
    sha = hashlib.sha256
    by_hand = sha(sha(b"a").digest() + sha(b"1").digest() + sha(b"b/c").digest() + sha(b"2").digest()).hexdigest()

    assert Unpacked(zipped(("b/c", b"2"), ("a", b"1"), comment=b"whatever")).received.checksum == by_hand


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), st.binary(max_size=300), max_size=6)
)
def test_what_is_written_is_read_or_was_refused_by_its_names(files: dict[str, bytes]) -> None:
    try:
        check_names(files)
    except PackageError:
        return
    if files:
        assert Unpacked(written(*files.items())).files == files


# Hostile: names


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "a/../../evil", "a/..", "/etc/passwd", "//evil", "a//b", "./a", "a/./b", "..", ".", "a/",
        "..\\evil", "a\\b", "C:\\evil", "a\nb", "a\x1b[31m", "a\u202eyp.b", "a\u200bb", "x" * 256, "x/" * 600 + "x",
    ],
)  # fmt: skip
def test_a_name_that_is_not_plain_is_refused(name: str) -> None:
    error = refusal(zipped(("manifest.yaml", b""), (name, b"evil")))

    assert error.code == "package_unsafe"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "a"), ("main.py", "Main.py"), ("lib/a", "LIB/b"), ("ﬁle", "file"), ("e\u0301", "é"), ("a", "a/b"),
        ("a/b", "a"), ("A/b", "a"), ("straße", "STRASSE"), ("Kelvin", "\u212aelvin"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_pass_for_each_other_are_refused(one: str, other: str) -> None:
    assert refusal(zipped((one, b"good"), (other, b"evil"))).code == "package_unsafe"


def test_a_name_that_is_cut_at_a_nul_is_refused() -> None:
    package = patched(zipped(("main.pyXevil", b"")), b"main.pyXevil", b"main.py\0evil")

    assert refusal(package).code == "package_unsafe"


def test_a_name_in_another_encoding_is_refused() -> None:
    assert refusal(patched(zipped(("aXb", b"")), b"aXb", b"a\x81b")).code == "package_unsafe"


def test_a_file_that_has_another_name_in_its_own_place_is_refused() -> None:
    error = refusal(patched(zipped(("manifest.yaml", b"x")), b"manifest.yaml", b"manifest.evil", count=1))

    assert (error.code, "two places" in error.message) == ("package_unsafe", True)


def test_a_unicode_name_beside_the_name_is_refused() -> None:
    info = zipfile.ZipInfo("readme")
    other = b"evil.py"
    info.extra = struct.pack("<HHBL", 0x7075, 5 + len(other), 1, zlib.crc32(b"readme")) + other
    package = zipped((info, b"x"))
    try:
        assert Unpacked(package).files == {"readme": b"x"}
    except PackageError as error:
        # Newer Pythons take the other name for the file's.
        assert error.code == "package_unsafe"  # noqa: PT017


# Hostile: kinds


@pytest.mark.parametrize("kind", [0o120777, 0o040755, 0o020666, 0o060666, 0o010666, 0o140777])
def test_what_is_no_file_is_refused(kind: int) -> None:
    info = zipfile.ZipInfo("x")
    info.external_attr = kind << 16

    assert refusal(zipped((info, b"/etc/passwd"))).code == "package_unsafe"


def test_a_symbolic_link_is_refused() -> None:
    error = refusal(zipped(linked("link", "/etc/passwd"), ("link/x", b"")))

    assert (error.code, "symbolic link" in error.message) == ("package_unsafe", True)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(method: int) -> None:
    assert refusal(zipped(("a", b"x" * 1000), method=method)).code == "package_unsafe"


def test_what_is_encrypted_is_refused() -> None:
    package = bytearray(zipped(("a", b"secret")))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        package[package.index(mark) + place] |= 1

    assert refusal(bytes(package)).code == "package_unsafe"


# Hostile: sizes


def test_too_many_files_are_refused_before_any_is_read() -> None:
    package = zipped(*((f"f{number}", b"") for number in range(21)))

    assert refusal(package, PackageLimits(files=20)).code == "package_too_large"
    assert len(Unpacked(package, PackageLimits(files=21)).files) == 21


def test_a_list_that_is_longer_than_it_says_is_refused() -> None:
    package = bytearray(zipped(*((f"f{number}", b"") for number in range(21))))
    end = package.rindex(b"PK\5\6")
    package[end + 8 : end + 12] = struct.pack("<HH", 1, 1)

    assert refusal(bytes(package), PackageLimits(files=20)).code == "package_too_large"


def test_a_package_that_is_too_large_is_refused() -> None:
    package = zipped(("a", b"x" * 5000), method=zipfile.ZIP_STORED)

    assert refusal(package, PackageLimits(size=4000)).code == "package_too_large"
    assert refusal(zipped(("a", bytes(5000))), PackageLimits(size=4000)).code == "package_too_large"


def test_a_bomb_is_refused_in_its_beginning_and_takes_no_memory() -> None:
    bomb = zipped(*((f"bomb{number}", bytes(20 * MIB)) for number in range(2)))
    assert len(bomb) < 100_000
    counted = 0

    def read_all() -> None:
        nonlocal counted
        for _, pieces in Archive(io.BytesIO(bomb), LIMITS).contents():
            for piece in pieces:
                counted += len(piece)

    tracemalloc.start()
    try:
        with pytest.raises(PackageError) as refused:
            read_all()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert refused.value.code == "package_too_large"
    assert counted <= UNRATED + 100 * len(bomb)
    assert peak < 2 * MIB


def test_a_bomb_that_says_it_is_small_is_refused() -> None:
    size = 8 * MIB
    bomb = patched(zipped(("bomb", bytes(size))), struct.pack("<L", size), struct.pack("<L", 10))

    assert refusal(bomb).code == "package_too_large"


@pytest.mark.parametrize("says", [0, 3, 5, 2**32 - 2])
def test_a_size_that_is_not_so_is_refused(says: int) -> None:
    package = zipped(("file", b"1234"), method=zipfile.ZIP_DEFLATED)
    end = package.index(b"PK\1\2") + 24

    assert refusal(package[:end] + struct.pack("<L", says) + package[end + 4 :]).code == "package_invalid"


def test_files_that_share_their_place_are_refused() -> None:
    """As a bomb of many names and one content has them."""
    package = bytearray(zipped(("a", b"x" * 100), ("b", b"x" * 100), method=zipfile.ZIP_STORED))
    second = package.rindex(b"PK\1\2")
    package[second + 42 : second + 46] = bytes(4)

    assert refusal(bytes(package)).code == "package_unsafe"


# Hostile: what a zip can hide


def _with_end_moved(package: bytes, by: int) -> bytearray:
    moved = bytearray(package)
    end = moved.rindex(b"PK\5\6")
    (offset,) = struct.unpack_from("<L", moved, end + 16)
    struct.pack_into("<L", moved, end + 16, offset + by)
    return moved


def test_something_before_the_first_file_is_refused() -> None:
    package = zipped(("a", b"x"))
    assert refusal(b"#!/bin/sh\n" + package).code == "package_invalid"
    moved = _with_end_moved(package, 10)
    struct.pack_into("<L", moved, moved.index(b"PK\1\2") + 42, 10)
    assert refusal(b"#!/bin/sh\n" + bytes(moved)).code == "package_invalid"


def test_something_behind_the_last_file_is_refused() -> None:
    package = zipped(("a", b"x"))
    begin = package.index(b"PK\1\2")
    moved = bytes(_with_end_moved(package, 6))

    assert refusal(moved[:begin] + b"hidden" + moved[begin:]).code == "package_unsafe"


def test_something_behind_the_end_is_refused() -> None:
    package = zipped(("a", b"x"))
    assert refusal(package + b"x").code == "package_invalid"
    # Another zip in the comment of the first: which of the two is meant?
    other = zipped(("b", b"y"))
    assert refusal(package[:-2] + struct.pack("<H", len(other)) + other).code in ("package_invalid", "package_unsafe")


def test_something_behind_a_content_is_refused() -> None:
    info = zipfile.ZipInfo("a")
    content = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = content.compress(b"seen") + content.flush() + b"hidden"
    package = zipped((info, packed), method=zipfile.ZIP_STORED)
    for mark, method, checksum, size in ((b"PK\3\4", 8, 14, 22), (b"PK\1\2", 10, 16, 24)):
        place = package.index(mark)
        changed = bytearray(package)
        struct.pack_into("<H", changed, place + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<L", changed, place + checksum, zlib.crc32(b"seen"))
        struct.pack_into("<L", changed, place + size, 4)
        package = bytes(changed)
    # What others make of it.
    assert zipfile.ZipFile(io.BytesIO(package)).read("a") == b"seen"

    assert refusal(package).code == "package_unsafe"


def test_a_content_that_was_changed_is_refused() -> None:
    package = patched(zipped(("a", b"good content"), method=zipfile.ZIP_STORED), b"good", b"evil")

    assert refusal(package).code == "package_invalid"


# Broken


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\3\4" + bytes(100), zipped(), b"\x1f\x8b" + bytes(50), b"x" * 70_000])
def test_what_is_no_package_is_refused(data: bytes) -> None:
    assert refusal(data).code == "package_invalid"


def test_a_package_that_is_cut_anywhere_is_refused() -> None:
    whole = zipped(("a", b"x" * 50), ("b/c", b"y"))
    for size in range(len(whole)):
        assert refusal(whole[:size]).code == "package_invalid", size


SOME = zipped(("manifest.yaml", b"name: some\n" * 20), ("a/b.py", b"print(1)"), comment=b'{"signature": "", "time": 1}')


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SOME) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_whatever_bytes_are_changed_contents_are_as_they_were_or_nothing(
    changes: list[tuple[int, int]],
) -> None:
    """A name may be another: it is in the checksum. No content is, and no other error is raised."""
    package = bytearray(SOME)
    for place, value in changes:
        package[place] = value
    try:
        unpacked = Unpacked(bytes(package))
    except PackageError as error:
        assert error.code in ("package_invalid", "package_unsafe", "package_too_large")  # noqa: PT017
        return
    assert sorted(unpacked.files.values()) == [b"name: some\n" * 20, b"print(1)"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for package in (data, SOME[: len(SOME) // 2] + data, data + SOME):
        try:
            Unpacked(package)
        except PackageError:
            continue
