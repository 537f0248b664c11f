"""The inner API: what is asked, for each kind of call, and what comes of each answer; trouble in the middle."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from endpointd.backends.choosing import NAMES
from endpointd.backends.dify_inner import SINGLE, STREAMS
from endpointd.backends.files import IN_MEMORY
from endpointd.backends.framing import MAX_PAYLOAD
from endpointd.backends.lines import Line
from endpointd.sessions.errors import CallRefused
from support import stand_in_dify as dify
from support.asking import Asking, answer, everything, settings_of
from support.stand_in import Answer, Step, as_json
from support.stand_in_dify import INNER_KEY, TENANT, DifyInnerStandIn, chunk, enveloped

CHAT = {"app_id": "a", "query": "hello", "inputs": {}, "response_mode": "streaming"}


def asking(server: DifyInnerStandIn, **settings: object) -> Asking:
    given: dict[str, Any] = {"url": server.url, "key": {"env": INNER_KEY}, "tenant": TENANT, **settings}
    return Asking(settings_of("dify-inner", **given))


@pytest.fixture
def ask(inner: DifyInnerStandIn) -> Asking:
    return asking(inner)


def refusal(ask: Asking, kind: str = "app", arguments: dict[str, Any] | None = None) -> CallRefused:
    with pytest.raises(CallRefused) as refused:
        ask(kind, CHAT if arguments is None else arguments)
    assert INNER_KEY not in str(refused.value)
    return refused.value


def test_every_kind_of_call_has_a_place() -> None:
    assert {*STREAMS, *SINGLE} == set(NAMES)


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_give_each_item(inner: DifyInnerStandIn, ask: Asking, kind: str) -> None:
    expected = list(inner.streams[STREAMS[kind]])
    if kind == "tts":
        expected = [{"result": b"\x00\xff"}, {"result": b"sound"}]
    assert ask(kind, {"what": "ever"}) == expected
    asked = inner.last(f"/inner/api/{STREAMS[kind]}")
    assert asked.method == "POST"
    assert asked.headers["x-inner-api-key"] == INNER_KEY
    assert asked.headers["content-type"] == "application/json"
    assert asked.json == {"what": "ever", "tenant_id": TENANT, "user_id": "", "type": kind}


@pytest.mark.parametrize("kind", sorted(SINGLE.keys() - {"upload_file", "speech2text"}))
def test_others_give_one_item(inner: DifyInnerStandIn, ask: Asking, kind: str) -> None:
    found = inner.single[SINGLE[kind]]
    expected = found["data"] if kind == "fetch_app" else found  # type: ignore[index]
    assert ask(kind, {"what": "ever"}) == [expected]
    asked = inner.last(f"/inner/api/{SINGLE[kind]}")
    assert asked.json == {"what": "ever", "tenant_id": TENANT, "user_id": "", "type": kind}


def test_a_plugin_cannot_choose_whose_workspace_it_is(inner: DifyInnerStandIn, ask: Asking) -> None:
    ask("app", {**CHAT, "tenant_id": "other", "user_id": "root", "type": "encrypt"})
    asked = inner.last("/inner/api/invoke/app").json
    assert (asked["tenant_id"], asked["user_id"], asked["type"]) == (TENANT, "", "app")


def test_speech_goes_in_hexadecimal_digits(inner: DifyInnerStandIn, ask: Asking) -> None:
    sound = os.urandom(200_000)
    assert ask("speech2text", {"model": "m"}, sound) == [{"result": "spoken"}]
    assert inner.last("/inner/api/invoke/speech2text").json["file"] == sound.hex()


@pytest.mark.parametrize("size", [0, 3, IN_MEMORY + 1])
def test_a_file_goes_where_dify_says(inner: DifyInnerStandIn, ask: Asking, size: int) -> None:
    content = os.urandom(size)
    found = ask("upload_file", {"filename": 'a "b".png', "mimetype": "image/png"}, content)
    assert found == [dify.FILE]
    assert inner.last("/inner/api/upload/file/request").json["filename"] == 'a "b".png'
    sent = inner.last("/files/upload/for-plugin")
    assert "x-inner-api-key" not in sent.headers
    head, _, rest = sent.body.partition(b"\r\n\r\n")
    assert b'name="file"; filename="a %22b%22.png"\r\nContent-Type: image/png' in head
    boundary = sent.headers["content-type"].partition("boundary=")[2].encode()
    assert rest == content + b"\r\n--" + boundary + b"--\r\n"
    assert sent.headers["content-length"] == str(len(sent.body))


def test_a_file_goes_to_a_path_as_well(inner: DifyInnerStandIn, ask: Asking) -> None:
    inner.single["upload/file/request"] = {"url": "/files/upload/for-plugin?sign=x"}
    before = inner.answer

    def answer(asked: Any) -> Answer:  # noqa: ANN401
        if asked.path.endswith("upload/file/request"):
            return as_json({"data": inner.single["upload/file/request"], "error": ""})
        return before(asked)

    inner.answer = answer
    assert ask("upload_file", {"filename": "a", "mimetype": "b/c"}, b"x") == [dify.FILE]


def test_a_file_has_a_largest_size(inner: DifyInnerStandIn) -> None:
    ask = asking(inner, limit_file=100_000)
    with pytest.raises(CallRefused, match=r"more than 100000 bytes \(limit_file\)"):
        ask("upload_file", {"filename": "a", "mimetype": "b/c"}, bytes(100_001))
    assert inner.asked == []


# As it comes


def test_items_come_as_they_are_made(inner: DifyInnerStandIn, ask: Asking) -> None:
    inner.streams["invoke/app"] = [{"n": 1}, Step.WAIT, {"n": 2}]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", CHAT)) as items:
            assert await anext(items) == {"n": 1}
            inner.go()
            assert await anext(items) == {"n": 2}
            assert await anext(items, None) is None

    ask.run(use)


def test_who_wants_no_more_ends_it_at_the_backend(inner: DifyInnerStandIn, ask: Asking) -> None:
    inner.streams["invoke/app"] = [{"n": 1}, Step.STAY]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", CHAT)) as items:
            assert await anext(items) == {"n": 1}
        assert await asyncio.to_thread(inner.left) == "/inner/api/invoke/app"

    ask.run(use)


def test_who_is_cancelled_before_the_first_item_ends_it_too(inner: DifyInnerStandIn, ask: Asking) -> None:
    inner.streams["invoke/llm"] = [Step.WAIT, Step.STAY]

    async def use(line: Line) -> None:
        task = asyncio.create_task(everything(line, "llm", {}))
        await asyncio.to_thread(inner.wait_for, 1)
        task.cancel()
        assert await asyncio.to_thread(inner.left) == "/inner/api/invoke/llm"
        with pytest.raises(asyncio.CancelledError):
            await task

    ask.run(use)


def test_whoever_is_cancelled_when_and_how_often_ever_leaves_room(inner: DifyInnerStandIn) -> None:
    """The backend takes one call at a time: a connection that was not closed would be in the way of all others."""
    inner.streams["invoke/app"] = [{"n": 1}, Step.STAY]

    async def use(line: Line) -> None:
        for turns in range(0, 120, 3):
            task = asyncio.create_task(everything(line, "app", CHAT))
            for turn in range(turns):
                await asyncio.sleep(0)
                if turn >= turns - 3:
                    task.cancel()
            await asyncio.wait({task}, timeout=0.001 * turns)
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait({task})
        assert await everything(line, "llm", {}) == list(dify.STREAMED["invoke/llm"])

    asking(inner, concurrency=1).run(use)


def test_a_hundred_at_once(inner: DifyInnerStandIn, ask: Asking) -> None:
    """Each gets its own answer; all are under way together."""

    def slowly(asked: Any) -> Answer:  # noqa: ANN401
        number = asked.json["inputs"]["n"]
        return Answer(steps=[Step.WAIT, enveloped({"n": number}), enveloped({"n": -number})])

    inner.answer = slowly

    async def use(line: Line) -> None:
        calls = [
            asyncio.create_task(everything(line, "app", {**CHAT, "inputs": {"n": number}})) for number in range(100)
        ]
        await asyncio.to_thread(inner.wait_for, 100)
        inner.go(100)
        assert await asyncio.gather(*calls) == [[{"n": number}, {"n": -number}] for number in range(100)]

    ask.run(use)
    assert inner.most_at_once == 100


def test_no_more_than_the_setting_says_at_once(inner: DifyInnerStandIn) -> None:
    async def use(line: Line) -> None:
        await asyncio.gather(*(everything(line, "app", CHAT) for _ in range(20)))

    asking(inner, concurrency=3).run(use)
    assert len(inner.asked) == 20
    assert inner.most_at_once <= 3


def test_who_does_not_read_holds_the_backend_up(inner: DifyInnerStandIn, ask: Asking) -> None:
    """What the sockets hold is under way, and no more."""
    reading, too_early = threading.Event(), []

    def items() -> Iterator[object]:
        for number in range(60):
            if number == 30:
                too_early.append(not reading.is_set())
            yield {"n": number, "text": "x" * 700_000}

    inner.streams["invoke/app"] = items()

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", CHAT)) as found:
            assert (await anext(found))["n"] == 0
            # It would not be held up for so long that all of this is done meanwhile.
            for _ in range(20):
                await everything(line, "llm", {})
            reading.set()
            assert [item["n"] async for item in found] == list(range(1, 60))

    ask.run(use)
    assert too_early == [False]


def test_who_waits_too_long_for_its_turn_is_told(inner: DifyInnerStandIn) -> None:
    inner.streams["invoke/app"] = [{"n": 1}, Step.STAY]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", CHAT)) as items:
            await anext(items)
            with pytest.raises(CallRefused, match=r"1 other calls to answer for 0.2 s \(concurrency\)") as refused:
                await everything(line, "llm", {})
            assert refused.value.code == "timeout"

    asking(inner, concurrency=1, clock_idle=0.2).run(use)


def test_a_turn_is_waited_for_within_the_clock_of_the_whole_call(inner: DifyInnerStandIn) -> None:
    inner.streams["invoke/app"] = [{"n": 1}, Step.STAY]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", CHAT)) as items:
            await anext(items)
            with pytest.raises(CallRefused, match=r"more than 1 s for a call \(clock_total\)"):
                await everything(line, "llm", {})

    asking(inner, concurrency=1, clock_total=1).run(use)


# Trouble


def test_a_failure_comes_after_what_came_before(inner: DifyInnerStandIn, ask: Asking) -> None:
    fault = json.dumps({"data": None, "error": f"quota exceeded for {INNER_KEY}"}).encode()
    inner.streams["invoke/app"] = [{"n": 1}, chunk(fault)]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", CHAT)) as items:
            assert await anext(items) == {"n": 1}
            with pytest.raises(CallRefused, match=r"the backend 'it' says: quota exceeded for \*{8}$") as refused:
                await anext(items)
            assert refused.value.code == "failed"

    ask.run(use)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([{"n": 1}, Step.BREAK], "broke off"),
        ([chunk(b'{"data": 1}')[:-3]], "ended in the middle of a chunk"),
        ([b"<html>"], "a chunk begins with 3c 68 74 6d 6c 3e"),
        ([b"\x0f\x00\x02\x00\x01\x00"], "which is too few"),
        ([b"\x0f\x00\x0a\x00" + (MAX_PAYLOAD + 1).to_bytes(4, "little") + bytes(6)], "the maximum is 31457280"),
        ([chunk(b"{")], "what is not JSON"),
        ([chunk(b"[1]")], "neither data nor error"),
        ([chunk(b"[" * 100_000)], "what is not JSON"),
    ],
)
def test_a_stream_that_breaks_is_a_failure(inner: DifyInnerStandIn, ask: Asking, steps: list[Any], text: str) -> None:
    inner.streams["invoke/app"] = steps
    error = refusal(ask)
    assert error.code == "failed"
    assert text in error.text


def test_sound_that_is_none_is_a_failure(inner: DifyInnerStandIn, ask: Asking) -> None:
    inner.streams["invoke/tts"] = [{"result": "xyz"}]
    assert "not written in hexadecimal" in refusal(ask, "tts").text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (as_json({"data": None, "error": "no such model"}), "says: no such model"),
        (as_json({"message": f"bad {INNER_KEY}"}, 500), "answered with HTTP 500: bad ********"),
        (as_json({"error": {"message": "too  long"}}, 400), "answered with HTTP 400: too long"),
        (Answer(502, "text/html", [b"<html>"]), "answered with HTTP 502"),
        (Answer(502, "text/plain", [b"x" * 100_000]), "answered with HTTP 502: xxx"),
        (as_json({"message": INNER_KEY[:8]}, 401), "does not accept the key that is configured for it (HTTP 401)"),
        (Answer(302, headers={"location": "http://example.org"}), "sends to another place (HTTP 302)"),
        (Answer(200, headers={"content-encoding": "gzip"}, steps=[b"x"]), "compressed"),
        (Answer(200, steps=[b" " * MAX_PAYLOAD, b"  "]), "more than 31457280 bytes at once"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(inner: DifyInnerStandIn, ask: Asking, answer: Answer, text: str) -> None:
    inner.answer = lambda _: answer
    error = refusal(ask, "moderation")
    assert error.code == "failed"
    assert text in error.text
    assert len(error.text) < 700


def test_a_backend_that_is_not_there(inner: DifyInnerStandIn) -> None:
    error = refusal(asking(inner, url="http://127.0.0.1:1"))
    assert (error.code, error.text) == ("failed", "the backend 'it' cannot be reached: Connection refused")


def test_arguments_that_json_has_no_place_for(ask: Asking) -> None:
    error = refusal(ask, "tool", {"tool_parameters": {"a": b"bytes"}})
    assert (error.code, "cannot be written as JSON" in error.text) == ("invalid", True)
