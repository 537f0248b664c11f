"""The host's end of a wire, without a wire: messages are put where the system would have put their bytes."""

from collections.abc import Callable
from unittest.mock import Mock

from endpointd.channel.channel import Channel
from endpointd.channel.exchange import Exchange
from endpointd_wire.frames import encode
from endpointd_wire.memory import SIZE, Ring, RingReader
from endpointd_wire.messages import End, Message, Response
from endpointd_wire.states import Phase
from support.connection_pair import a_request


def open_channel(freed: Callable[[], object] = Mock) -> tuple[Channel, Mock]:
    """A channel to a worker that is ready, and its transport. To be called in an event loop."""
    channel = Channel(Mock(), freed, Mock(), Mock())  # type: ignore[arg-type]
    transport = Mock(**{"is_closing.return_value": False})
    channel.connection_made(transport)
    channel.connection.phase = Phase.OPEN
    return channel, transport


def hearing(*messages: Message, shared: bool = True) -> tuple[Channel, Exchange, Ring]:
    """A channel, with the worker's end of its memory, that has heard `messages` about its one exchange."""
    memory = memoryview(bytearray(SIZE))
    channel, _ = open_channel()
    exchange = channel.open(a_request)
    ring = Ring(memory)
    if shared:
        channel._memory = RingReader(memory)
    for message in (Response(exchange.stream, 200, (), End.MORE, b""), *messages):
        hear(channel, message)
    return channel, exchange, ring


def hear(channel: Channel, *messages: Message) -> None:
    """Messages that come together."""
    frames = b"".join(buffer for message in messages for buffer in encode(message))
    channel.get_buffer(-1)[: len(frames)] = frames
    channel.buffer_updated(len(frames))
