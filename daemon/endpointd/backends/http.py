"""The HTTP client of one backend: its clocks and limits, and the messages about its failures.

The messages go to the plugin and to the log. Secrets are removed from them, also where the backend quotes one.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import cache
from typing import Any, TypeVar, cast

import httpx

from endpointd.backends import payloads
from endpointd.backends.words import reason_of, words_of
from endpointd.sessions.errors import CallRefused
from endpointd.settings.backends import BackendSettings

MAX_ANSWER = 30 * 1024 * 1024
"""The most bytes of an answer that is read as a whole, as in Dify's plugin daemon (`RESPONSE_MAX_BUFFER_SIZE`)."""

MAX_FAULT = 64 * 1024
"""The most bytes that are read of an error's body."""

MAX_WORDS = 500
"""The most characters of a backend's own error message that are passed on."""

KEPT = 2.0
"""Seconds for which an idle connection is kept. Not longer, because many servers close idle connections after two
seconds, and a call on a connection that is just being closed would fail."""

_MASK = "********"
_UNACCEPTED = (401, 403)
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "endpointd"}
"""No compression: the size of a compressed answer cannot be limited before it is decompressed."""

T = TypeVar("T")
Content = bytes | AsyncIterator[bytes] | None


class Http:
    """The connections to a backend. `secrets` are masked in all messages."""

    def __init__(
        self,
        name: str,
        settings: BackendSettings,
        secrets: Sequence[str],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.limit_file = int(settings.limit_file)
        self._settings = settings
        # The longest first, because one may be a part of another.
        self._secrets = sorted(secrets, key=len, reverse=True)
        idle = settings.clock_idle
        self._client = httpx.AsyncClient(
            headers=_HEADERS,
            timeout=httpx.Timeout(connect=settings.clock_connect, read=idle, write=idle, pool=idle),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=16, keepalive_expiry=KEPT),
            follow_redirects=False,
            transport=transport,
            verify=_trusted(settings),
        )

        # httpx's own limit (`max_connections`) sometimes leaks a place when a call is cancelled while it gets its
        # connection.
        self._places = asyncio.Semaphore(settings.concurrency)
        self._later: set[asyncio.Task[None]] = set()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the background: it cleans up after a call, and has a timeout of its own. `close` waits for
        it."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def close(self) -> None:
        if self._later:
            await asyncio.wait(self._later)
        await self._client.aclose()

    @asynccontextmanager
    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], content: Content = None, *, ok: Iterable[int] = (200,)
    ) -> AsyncIterator["Answer"]:
        """Send a request; the context begins when the head of the answer has come. What was not read of the answer when
        the context ends is discarded.

        `url` is absolute, or a path below the backend's own URL. Raises `CallRefused`, also for a status that is not in
        `ok`.
        """
        total = self._settings.clock_total
        deadline = asyncio.get_running_loop().time() + total if total else None
        target = url if "://" in url else f"{self._settings.url}/{url}"
        with self._explained():
            request = self._client.build_request(method, target, headers=headers, content=content)
        answer = Answer(self, deadline)
        await self._enter(deadline)
        try:
            await answer.begin(self._client.send(request, stream=True))
            if answer.status not in ok:
                raise await self._refusal(answer)
            if answer.header("content-encoding") not in ("", "identity"):
                raise self.failed("sent a compressed answer, which it was not asked for")
            yield answer
        finally:
            if answer.is_over:
                self._places.release()
            else:
                self.later(self._put_away(answer))

    async def _enter(self, deadline: float | None) -> None:
        """Wait for one of the backend's `concurrency` places. Raises `CallRefused`."""
        settings = self._settings
        now = asyncio.get_running_loop().time()
        idle = now + settings.clock_idle if settings.clock_idle else None
        until = min((one for one in (idle, deadline) if one is not None), default=None)
        try:
            async with asyncio.timeout_at(until):
                await self._places.acquire()
        except TimeoutError:
            if until == deadline:
                raise self._total() from None
            raise self._too_slow(
                f"has had {settings.concurrency} other calls to answer for {settings.clock_idle:g} s (concurrency)"
            ) from None

    async def _put_away(self, answer: "Answer") -> None:
        try:
            await answer.put_away()
        finally:
            self._places.release()

    async def ask_whole(
        self, method: str, url: str, headers: Mapping[str, str], content: Content = None, *, ok: Iterable[int] = (200,)
    ) -> Any:  # noqa: ANN401 - whatever the backend says
        """Send a request and return the answer, decoded from JSON. Raises `CallRefused`, as `ask` does."""
        async with self.ask(method, url, headers, content, ok=ok) as answer:
            return await self.json(await answer.whole())

    async def json(self, data: bytes) -> Any:  # noqa: ANN401 - whatever the backend says
        """Decode JSON from the backend. Raises `CallRefused`."""
        try:
            return await payloads.read(data)
        except payloads.Unreadable as error:
            raise self.failed(f"sent what is not JSON: {error}") from None

    # Error messages

    def failed(self, text: str) -> CallRefused:
        """The error for a failure of the backend; `text` goes on after "the backend NAME"."""
        return CallRefused("failed", self._without_secrets(f"the backend {self.name!r} {text}"))

    def _too_slow(self, text: str) -> CallRefused:
        return CallRefused("timeout", f"the backend {self.name!r} {text}")

    def _total(self) -> CallRefused:
        return self._too_slow(f"has taken more than {self._settings.clock_total:g} s for a call (clock_total)")

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text

    async def _refusal(self, answer: "Answer") -> CallRefused:
        """The error for an answer whose status is not a success."""
        status = answer.status
        if status in _UNACCEPTED:
            # The backend's own message is left out: it may contain parts of the key.
            return self.failed(f"does not accept the key that is configured for it (HTTP {status})")
        if 300 <= status < 400:
            return self.failed(f"sends to another place (HTTP {status}); correct its url")
        words = self._without_secrets(await answer.words())
        return self.failed(f"answered with HTTP {status}" + (f": {words}" if words else ""))

    async def in_time(self, work: "asyncio.Task[T]", deadline: float | None) -> T:
        """Wait for `work`, at most until `deadline`, and return its result. The work is not cancelled if this coroutine
        is cancelled or the time is over. Raises `CallRefused`."""
        left = None if deadline is None else max(deadline - asyncio.get_running_loop().time(), 0)
        await asyncio.wait({work}, timeout=left)
        if not work.done():
            raise self._total()
        with self._explained():
            return work.result()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the exceptions of httpx into `CallRefused`."""
        settings = self._settings
        try:
            yield
        except httpx.ConnectTimeout:
            raise self._too_slow(f"was not connected with in {settings.clock_connect:g} s (clock_connect)") from None
        except httpx.TimeoutException:
            raise self._too_slow(f"has sent nothing for {settings.clock_idle:g} s (clock_idle)") from None
        except httpx.ConnectError as error:
            raise self.failed(f"cannot be reached: {reason_of(error)}") from None
        except httpx.HTTPError as error:
            raise self.failed(f"broke off: {reason_of(error)}") from None
        except httpx.InvalidURL:
            raise self.failed("named a URL that is none") from None


class Answer:
    """The answer to one request.

    Each wait is a separate task, because the caller may be cancelled at any time and more than once. The connection is
    closed in the background (`Http.later`): a cancellation during its closing would leave it open.
    """

    def __init__(self, http: Http, deadline: float | None) -> None:
        self._http = http
        self._deadline = deadline
        self._response: httpx.Response | None = None
        self._raw: AsyncGenerator[bytes, None] | None = None
        self._work: asyncio.Task[Any] | None = None
        self.is_over = False
        """Whether it was read to its end, so that nothing has to be closed."""

    async def begin(self, sending: Coroutine[Any, Any, httpx.Response]) -> None:
        """Wait for the head. Raises `CallRefused`."""
        self._response = await self._wait(sending)
        self._raw = cast("AsyncGenerator[bytes, None]", self._response.aiter_raw())

    @property
    def status(self) -> int:
        return self._begun.status_code

    def header(self, name: str) -> str:
        """The value of a header, empty if there is none."""
        text: str = self._begun.headers.get(name, "")
        return text

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def _begun(self) -> httpx.Response:
        assert self._response is not None
        return self._response

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises `CallRefused`."""
        assert self._raw is not None
        while (piece := await self._wait(_next(self._raw))) is not None:
            if piece:
                yield piece
        self.is_over = True

    async def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        self._work = asyncio.create_task(work)
        return await self._http.in_time(self._work, self._deadline)

    async def put_away(self) -> None:
        """Close the connection, whatever it is doing."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})
            came = not self._work.cancelled() and self._work.exception() is None
            if came and self._response is None:
                self._response = self._work.result()
        if self._raw is not None:
            await self._raw.aclose()
        if self._response is not None:
            await self._response.aclose()

    async def whole(self) -> bytes:
        """The whole body. Raises `CallRefused`, also if it has more than `MAX_ANSWER` bytes."""
        data = bytearray()
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) > MAX_ANSWER:
                    raise self._http.failed(f"sent more than {MAX_ANSWER} bytes at once")
        return bytes(data)

    async def words(self) -> str:
        """The backend's own message in the body of an error; empty if there is none that can be read."""
        data = bytearray()
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) > MAX_FAULT:
                    break
        try:
            return words_of(await payloads.read(bytes(data)))[:MAX_WORDS]
        except payloads.Unreadable:
            is_text = self.content_type == "text/plain"
            return " ".join(data.decode(errors="replace").split())[:MAX_WORDS] if is_text else ""


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


def _trusted(settings: BackendSettings) -> ssl.SSLContext:
    """The certificates to trust. Raises OSError (of which ssl.SSLError is one) if `ca_file` cannot be used."""
    if settings.ca_file is None:
        return _commonly_trusted()
    return ssl.create_default_context(cafile=str(settings.ca_file))


@cache
def _commonly_trusted() -> ssl.SSLContext:
    """The default certificates. Cached for all backends, because reading them takes a while."""
    return httpx.create_ssl_context()
