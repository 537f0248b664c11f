"""The counter of chunked bodies: it must find a byte too few or too many, however the wire cuts the message."""

import pytest

from chunked import ChunkedCounter

BODY_LENGTH = 10 + 0x1F
MESSAGE = b"A\r\n0123456789\r\n1f\r\n" + b"\r" * 0x1F + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 3, 7, len(MESSAGE)])
def test_counts_the_body_in_pieces_of_any_size(step: int) -> None:
    counter = ChunkedCounter()
    for start in range(0, len(MESSAGE), step):
        assert not counter.finished
        counter.feed(bytearray(MESSAGE), start, min(start + step, len(MESSAGE)))
    assert counter.finished
    assert counter.body == BODY_LENGTH


def test_is_not_finished_before_the_last_byte() -> None:
    counter = ChunkedCounter()
    counter.feed(bytearray(MESSAGE), 0, len(MESSAGE) - 1)
    assert not counter.finished


def test_refuses_what_is_not_chunked() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        ChunkedCounter().feed(bytearray(b"hello\r\n"), 0, 7)
