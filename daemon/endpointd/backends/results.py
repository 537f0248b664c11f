"""Converts answers of the API of OpenAI to the form of Dify's SDK. Pure.

For an answer that is not in that form, the functions raise ArithmeticError, AttributeError, LookupError, TypeError or
ValueError.
"""

import json
from collections.abc import Mapping
from typing import Any

MAX_TOOL_CALLS = 4 * 1024 * 1024
"""The most bytes of the tool calls of an answer, which are collected until they are complete."""

_PRICES = {"total_price": "0", "currency": "USD"}
"""The SDK wants prices, which are not known here."""


class ToolCalls:
    """Assembles tool calls: a server sends them in pieces, but the SDK expects complete ones."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}
        self._size = 0

    def add(self, pieces: list[dict[str, Any]]) -> None:
        """Add pieces. Raises ValueError if all together have more than `MAX_TOOL_CALLS` bytes."""
        for place, piece in enumerate(pieces):
            call = self._calls.setdefault(int(piece.get("index", place)), {"id": "", "name": "", "arguments": ""})
            function = piece.get("function") or {}
            call["id"] = piece.get("id") or call["id"]
            call["name"] += function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""
            self._size += len(function.get("arguments") or "") + 100
            if self._size > MAX_TOOL_CALLS:
                raise ValueError(f"tool calls of more than {MAX_TOOL_CALLS} bytes")

    def take(self) -> list[dict[str, Any]]:
        """Return the collected tool calls, and forget them."""
        calls, self._calls = self._calls, {}
        return [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for _, call in sorted(calls.items())
        ]


class ChatStream:
    """Converts the events of a streaming answer to chunks. With `kept`, `parts` collects the text of the answer."""

    def __init__(self, model: str, *, kept: bool = False) -> None:
        self.model = model
        self.parts: list[str] = []
        self._kept = kept
        self._index = 0
        self._calls = ToolCalls()

    def chunk(self, event: Mapping[str, Any], latency: float) -> dict[str, Any] | None:
        """The chunk for an event; None if the event has no content. `latency` is in seconds."""
        self.model = event.get("model") or self.model
        usage = event.get("usage")
        choices = event.get("choices") or []
        if not choices and not usage:
            return None
        delta = (choices[0].get("delta") or {}) if choices else {}
        self._calls.add(delta.get("tool_calls") or [])
        finish = choices[0].get("finish_reason") if choices else None
        text = delta.get("content") or ""
        if self._kept:
            self.parts.append(text)
        calls = self._calls.take() if finish else []
        self._index += 1
        return _chunk(
            self.model,
            self._index - 1,
            _assistant(text, calls),
            finish,
            llm_usage(usage, latency) if usage else None,
            event.get("system_fingerprint"),
        )

    def rest(self) -> dict[str, Any] | None:
        """A last chunk with the tool calls that no `finish_reason` has completed; None if there are none."""
        calls = self._calls.take()
        return _chunk(self.model, self._index, _assistant("", calls), None, None, None) if calls else None


def whole(answer: Mapping[str, Any], model: str, latency: float) -> dict[str, Any]:
    """A blocking answer, as a stream's single chunk."""
    choice = answer["choices"][0]
    message = choice["message"]
    calls = ToolCalls()
    calls.add([{**one, "index": place} for place, one in enumerate(message.get("tool_calls") or [])])
    return _chunk(
        answer.get("model") or model,
        0,
        _assistant(message.get("content") or "", calls.take()),
        choice.get("finish_reason"),
        llm_usage(answer.get("usage") or {}, latency),
        answer.get("system_fingerprint"),
    )


def with_output(chunk: dict[str, Any], text: str) -> dict[str, Any]:
    """The chunk with `structured_output`, the JSON object in `text`. Raises ValueError if that is none."""
    output = json.loads(text)
    if not isinstance(output, dict):
        raise ValueError("the structured output is no object")
    return {**chunk, "structured_output": output}


def _chunk(
    model: str,
    index: int,
    message: dict[str, Any],
    finish: str | None,
    usage: dict[str, Any] | None,
    fingerprint: str | None,
) -> dict[str, Any]:
    delta = {"index": index, "message": message, "usage": usage, "finish_reason": finish}
    return {"model": model, "prompt_messages": [], "system_fingerprint": fingerprint, "delta": delta}


def _assistant(text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "name": None, "tool_calls": calls}


def llm_usage(usage: Mapping[str, Any], latency: float) -> dict[str, Any]:
    prompt, completion = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    prices = {
        f"{part}_{price}": "0" for part in ("prompt", "completion") for price in ("unit_price", "price_unit", "price")
    }
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": int(usage.get("total_tokens") or prompt + completion),
        **prices,
        **_PRICES,
        "latency": latency,
    }


def embeddings(answer: Mapping[str, Any], model: str, latency: float) -> dict[str, Any]:
    usage = answer.get("usage") or {}
    tokens = int(usage.get("total_tokens") or usage.get("prompt_tokens") or 0)
    found = sorted(answer["data"], key=lambda one: int(one.get("index", 0)))
    prices = {"unit_price": "0", "price_unit": "0", **_PRICES}
    return {
        "model": answer.get("model") or model,
        "embeddings": [one["embedding"] for one in found],
        "usage": {"tokens": tokens, "total_tokens": tokens, **prices, "latency": latency},
    }


def reranked(answer: Mapping[str, Any], model: str, docs: list[Any], threshold: float | None) -> dict[str, Any]:
    """The documents sorted by descending score, without those whose score is below `threshold`."""
    found = [(int(one["index"]), float(one.get("relevance_score", one.get("score")))) for one in answer["results"]]
    ranked = [
        {"index": index, "text": docs[index], "score": score}
        for index, score in sorted(found, key=lambda one: -one[1])
        if threshold is None or score >= threshold
    ]
    return {"model": answer.get("model") or model, "docs": ranked}


def is_flagged(answer: Mapping[str, Any]) -> bool:
    """Whether a moderation has flagged the text."""
    return any(bool(one["flagged"]) for one in answer["results"])
