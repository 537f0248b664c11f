"""What the worker puts into the memory, the host finds there, until it has freed it."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd_wire.errors import RemoteWireError
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.memory import LARGE, RING, SIZE, Ring, RingReader

SIZES = st.sampled_from([LARGE, MAX_PIECE]) | st.integers(LARGE, MAX_PIECE)


def both_ends() -> tuple[Ring, RingReader]:
    memory = memoryview(bytearray(SIZE))
    return Ring(memory), RingReader(memory)


def put(ring: Ring, number: int, size: int) -> int | None:
    """Put a piece that differs from others, in two parts."""
    piece = number.to_bytes(4, "big") * (size // 4 + 1)
    return ring.put([piece[:5], piece[5:size]], size)


def is_there(reader: RingReader, number: int, position: int, size: int) -> bool:
    return bytes(reader.view(position, size)) == (number.to_bytes(4, "big") * (size // 4 + 1))[:size]


@given(st.lists(st.tuples(SIZES, st.integers(0, 3)), max_size=60))
def test_what_is_put_is_found_until_it_is_freed(steps: list[tuple[int, int]]) -> None:
    ring, reader = both_ends()
    under_way: deque[tuple[int, int, int]] = deque()
    for number, (size, heard) in enumerate(steps):
        position = put(ring, number, size)
        if position is None:
            # A piece that has to be whole leaves less than one out at the end.
            assert sum(size for _, _, size in under_way) > RING - 2 * MAX_PIECE
        else:
            under_way.append((number, position, size))
        for _ in range(min(heard, len(under_way))):
            first, place, length = under_way.popleft()
            assert is_there(reader, first, place, length)
            reader.free(place + length)
    assert all(is_there(reader, *piece) for piece in under_way)


def test_there_is_room_again_when_all_is_freed() -> None:
    ring, reader = both_ends()
    placed = [put(ring, number, MAX_PIECE) for number in range(RING // MAX_PIECE)]
    assert None not in placed
    assert put(ring, 99, LARGE) is None
    for position in placed:
        reader.free((position or 0) + MAX_PIECE)
    assert put(ring, 99, LARGE) == RING


def test_a_piece_that_does_not_fit_at_the_end_begins_anew() -> None:
    ring, reader = both_ends()
    for number in range(RING // MAX_PIECE - 1):
        position = put(ring, number, MAX_PIECE)
        reader.free((position or 0) + MAX_PIECE)
    assert put(ring, 7, LARGE) == RING - MAX_PIECE
    assert put(ring, 8, MAX_PIECE) == RING
    assert is_there(reader, 8, RING, MAX_PIECE)


def test_what_a_lost_piece_took_comes_back_with_the_next_one() -> None:
    ring, reader = both_ends()
    put(ring, 1, MAX_PIECE)
    position = put(ring, 2, MAX_PIECE)
    reader.free((position or 0) + MAX_PIECE)
    for number in range(RING // MAX_PIECE):
        assert put(ring, number, MAX_PIECE) is not None


def test_it_rests_once_after_it_was_used() -> None:
    ring, reader = both_ends()
    assert not ring.rest()
    put(ring, 1, LARGE)
    assert not ring.rest()
    reader.free(LARGE)
    assert ring.rest()
    assert not ring.rest()
    put(ring, 2, LARGE)
    reader.free(2 * LARGE)
    assert ring.rest()


@pytest.mark.parametrize(
    ("position", "size"), [(-1, LARGE), (RING - 1, LARGE), (1 << 63, LARGE), (1 << 200, LARGE), (LARGE, RING)]
)
def test_the_host_does_not_look_beside_the_ring(position: int, size: int) -> None:
    _, reader = both_ends()
    with pytest.raises(RemoteWireError, match="cannot stand at"):
        reader.view(position, size)
