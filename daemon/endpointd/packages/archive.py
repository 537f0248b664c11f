"""Reads the zip file of a package, without trusting any of its content.

A package is a plain zip: the files one after the other, each stored or deflated, followed by the central directory (the
*list*), and nothing between, before or after them. All other features of zip files are refused, because programs
interpret them differently. `zipfile` reads the list. The contents are inflated here, in order to count the actual bytes
and not to rely on the sizes in the list.
"""

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from endpointd.packages.errors import broken, too_large, unsafe
from endpointd.packages.limits import MAX_DIRECTORY, PackageLimits
from endpointd.packages.names import check_names

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\5\6"
_MAX_COMMENT = 0xFFFF
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MARK = b"PK\3\4"

_ENCRYPTED = 0x1
_DESCRIBED = 0x8
"""Flag: a data descriptor with the sizes follows the content, because they were not known before."""
_PATCHED, _STRONGLY_ENCRYPTED, _MASKED = 0x20, 0x40, 0x2000
_UTF8 = 0x800
_DESCRIPTIONS = (0, 12, 16, 20, 24)
"""The possible lengths of a data descriptor in bytes: none, or sizes of 32 or 64 bits, with or without a signature."""

_CHUNK = 64 * 1024


class Archive:
    """The package in `file`. The constructor reads and checks the list. All methods raise `PackageError`."""

    def __init__(self, file: BinaryIO, limits: PackageLimits) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        if self._size > limits.size:
            raise too_large(f"more than {limits.size} bytes")
        self._left = limits.unpacked(self._size)
        self._limits = limits
        self.comment, directory = self._find_end()
        self._entries = self._read_list(directory)
        self.digests: list[tuple[str, bytes]] = []
        """The path and SHA-256 of each file that was read to its end, in the order of the archive."""

    @property
    def names(self) -> list[str]:
        """The paths of the files in the order of the archive."""
        return [entry.filename for entry in self._entries]

    def contents(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The path and the content of each file. The content must be read to its end before the next file."""
        for entry in self._entries:
            yield entry.filename, self._pieces(entry)

    # The list

    def _find_end(self) -> tuple[bytes, int]:
        """The archive's comment, and the offset of the list."""
        start = max(0, self._size - _END.size - _MAX_COMMENT)
        self._file.seek(start)
        tail = self._file.read(_END.size + _MAX_COMMENT)
        place = tail.rfind(_END_MARK)
        if place < 0 or len(tail) - place < _END.size:
            raise broken("it is no zip, or its end is missing")
        _, disk, other, here, count, size, offset, length = _END.unpack_from(tail, place)
        if place + _END.size + length != len(tail):
            raise broken("something follows its end")
        if disk or other or here != count:
            raise broken("it is one part of several")
        if offset + size != start + place:
            raise broken("its list of files is not where it should be")
        if count > self._limits.files or size > MAX_DIRECTORY:
            raise too_large(f"more than {self._limits.files} files")
        return tail[place + _END.size :], offset

    def _read_list(self, directory: int) -> list[zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self._file) as zip_file:
                entries = sorted(zip_file.infolist(), key=lambda entry: entry.header_offset)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError) as error:
            raise broken(str(error)) from error
        if not entries or len(entries) > self._limits.files:
            raise (
                broken("there is nothing in it") if not entries else too_large(f"more than {self._limits.files} files")
            )
        for entry in entries:
            _check_entry(entry)
        check_names(entry.filename for entry in entries)
        if entries[0].header_offset != 0 or entries[-1].header_offset >= directory:
            raise broken("its files are not where its list says")
        self._ends = {one.filename: other.header_offset for one, other in pairwise(entries)}
        self._ends[entries[-1].filename] = directory
        return entries

    # Contents

    def _pieces(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        digest, checksum, size = hashlib.sha256(), 0, 0
        for piece in self._inflated(entry, self._begin(entry)):
            size += len(piece)
            self._left -= len(piece)
            if self._left < 0:
                raise too_large(f"more in it than a package of {self._size} bytes may have ({self._allowed} bytes)")
            digest.update(piece)
            checksum = zlib.crc32(piece, checksum)
            yield piece
        if (size, checksum) != (entry.file_size, entry.CRC):
            raise broken(f"the content of {entry.filename!r} is not what its list says")
        self.digests.append((entry.filename, digest.digest()))

    @property
    def _allowed(self) -> int:
        return self._limits.unpacked(self._size)

    def _begin(self, entry: zipfile.ZipInfo) -> int:
        """The offset of the file's content. Raises `PackageError` if the header before it differs from the list."""
        self._file.seek(entry.header_offset)
        head = self._file.read(_LOCAL.size)
        if len(head) < _LOCAL.size:
            raise broken(f"{entry.filename!r} is cut")
        mark, _, flags, method, _, _, _, _, _, name_size, extra_size = _LOCAL.unpack(head)
        same = (mark, flags, method) == (_LOCAL_MARK, entry.flag_bits, entry.compress_type)
        if not same or self._file.read(name_size) != entry.filename.encode():
            raise unsafe(entry.filename, "is called differently in its two places")
        begin: int = entry.header_offset + _LOCAL.size + name_size + extra_size
        gap = self._ends[entry.filename] - begin - entry.compress_size
        if gap not in (_DESCRIPTIONS if flags & _DESCRIBED else (0,)):
            raise unsafe(entry.filename, "shares its place with something else, or hides something behind it")
        return begin

    def _inflated(self, entry: zipfile.ZipInfo, begin: int) -> Iterator[bytes]:
        """The content in pieces of at most `_CHUNK` bytes, even if few compressed bytes inflate to many."""
        packed = self._packed(entry, begin)
        if entry.compress_type == zipfile.ZIP_STORED:
            yield from packed
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in packed:
                while piece:
                    yield inflater.decompress(piece, _CHUNK)
                    if inflater.eof and (inflater.unused_data or inflater.unconsumed_tail):
                        raise unsafe(entry.filename, "hides something behind its content")
                    piece = inflater.unconsumed_tail
            yield inflater.flush()
        except zlib.error as error:
            raise broken(f"the content of {entry.filename!r}: {error}") from error
        if not inflater.eof:
            raise broken(f"the content of {entry.filename!r} is cut")

    def _packed(self, entry: zipfile.ZipInfo, begin: int) -> Iterator[bytes]:
        self._file.seek(begin)
        left = entry.compress_size
        while left:
            piece = self._file.read(min(left, _CHUNK))
            if not piece:
                raise broken(f"{entry.filename!r} is cut")
            left -= len(piece)
            yield piece


def _check_entry(entry: zipfile.ZipInfo) -> None:
    # They differ if `zipfile` has cut the name at a NUL, or has replaced it by one in an extra field.
    name = entry.orig_filename
    if name != entry.filename:
        raise unsafe(name, "has two names")
    if not name.isascii() and not entry.flag_bits & _UTF8:
        raise unsafe(name, "has a name that is not marked as UTF-8")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise unsafe(name, "is a symbolic link, a folder or a device: only files are in a package")
    if entry.flag_bits & (_ENCRYPTED | _PATCHED | _STRONGLY_ENCRYPTED | _MASKED):
        raise unsafe(name, "is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise unsafe(name, f"is compressed in another way (method {entry.compress_type}) than packages are")
