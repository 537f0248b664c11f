"""Plugins that ask an app: our worker and the SDK's own runtime have the same friend, and so say the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from endpointd_wire.messages import Failed, Ready
from official.wild import JSON, SETTINGS, Case, signed
from support.answering import Friend, take_answer
from support.host_end import Answer
from support.original import OriginalAnswer, original_runtime
from support.sdks import FOR_311, OLD, SdkEnvironments
from support.worker_process import worker_process

# Packages may have to be fetched first.
pytestmark = pytest.mark.timeout(300)

PLUGINS = Path(__file__).with_name("plugins")


def chat(*texts: str, stream: bool) -> Case:
    messages = [{"role": "user", "content": text} for text in texts]
    body = json.dumps({"messages": messages, "stream": stream}).encode()
    return Case("POST", "/v1/chat/completions", (("Authorization", "Bearer key"), JSON), body)


def message(text: str) -> Case:
    return signed("POST", "", json.dumps({"user": "u", "text": text}).encode(), JSON)


TALKS: dict[str, tuple[str, str, list[Case]]] = {
    "openai_facade": (
        FOR_311,
        "endpoints/chat.py",
        [chat("hi", "Käse", stream=False), chat("one", stream=True), chat("fall", stream=True)],
    ),
    # The second message goes on with the conversation that the first has begun.
    "bot-bridge": (OLD, "endpoints/bot-bridge.py", [message("hi"), message("again"), signed("POST", "", b"{}", JSON)]),
}


@pytest.mark.parametrize("name", TALKS)
def test_what_an_app_says_comes_out_the_same(sdks: SdkEnvironments, name: str) -> None:
    version, source, cases = TALKS[name]
    python = sdks.python(version)
    ours, theirs = Friend(), Friend()
    folder = PLUGINS / name
    with (
        worker_process(folder, interpreter=str(python)) as worker,
        original_runtime(folder, python, theirs.answer) as original,
    ):
        assert isinstance(worker.load(folder, source), Ready)
        for case in cases:
            path, _, query = case.target.partition("?")
            stream = worker.host.request(
                method=case.method,
                path=path.encode(),
                query=query.encode(),
                headers=[[key.lower().encode(), value.encode()] for key, value in case.headers],
                body=case.body or b"",
                settings=SETTINGS[name],
            )
            compare(
                take_answer(worker.host, stream, ours),
                original.ask(case.method, case.target, case.headers, case.body or b"", SETTINGS[name]),
            )
    assert without_ids(ours.asked) == without_ids(theirs.asked)
    assert ours.values == theirs.values


def compare(ours: Answer, theirs: OriginalAnswer) -> None:
    has_failed = isinstance(ours.last, Failed)
    assert has_failed == (theirs.error is not None)
    if has_failed and not ours.status:
        # What was made just before had not left yet, so that the client can still be told of the failure with a 500.
        assert not ours.body
    else:
        assert (ours.status, ours.body) == (theirs.status, theirs.body)


def without_ids(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in request.items() if key != "backwards_request_id"} for request in requests]
