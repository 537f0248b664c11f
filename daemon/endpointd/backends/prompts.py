"""Converts calls of models from the form of Dify's SDK to requests of the API of OpenAI. Pure."""

from collections.abc import Mapping
from typing import Any

from endpointd.sessions.errors import CallRefused

_OURS = frozenset({"model", "messages", "stream", "stream_options", "tools", "n"})
"""Parameters that a plugin's `completion_params` cannot set: they are set from the rest of the call, or (`n`) the SDK's
answer has no place for the result."""


def chat(arguments: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The body of a request to `chat/completions`. Raises `CallRefused` if the call contains something that the API
    does not support."""
    parameters = arguments.get("completion_params") or {}
    if not isinstance(parameters, Mapping):
        raise _invalid("completion_params is no dict")
    body = {name: value for name, value in parameters.items() if name not in _OURS}
    if isinstance(body.get("response_format"), str):
        # Dify's model configuration has only the type here.
        body["response_format"] = {"type": body["response_format"]}
    body |= {"model": model, "messages": [_message(one) for one in _list(arguments, "prompt_messages")]}
    if arguments.get("stop"):
        body["stop"] = arguments["stop"]
    if arguments.get("tools"):
        body["tools"] = [_tool(one) for one in _list(arguments, "tools")]
    if arguments.get("stream", True):
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def structured(arguments: Mapping[str, Any], model: str) -> dict[str, Any]:
    """As `chat`, for an answer that follows the JSON schema of the call."""
    schema = arguments.get("structured_output_schema")
    if not isinstance(schema, Mapping):
        raise _invalid("structured_output_schema is no dict")
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return {**chat(arguments, model), "response_format": form}


def summary(arguments: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The body of a request to `chat/completions` that asks for a summary."""
    task = f"Summarize the text that you are given. {arguments.get('instruction') or ''}".strip()
    texts = {"system": task, "user": str(arguments.get("text", ""))}
    return {"model": model, "messages": [{"role": role, "content": text} for role, text in texts.items()]}


def _message(message: Any) -> dict[str, Any]:  # noqa: ANN401 - what a plugin has sent
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise _invalid("a prompt message is a dict with a role")
    content = message.get("content")
    body: dict[str, Any] = {"role": message["role"]}
    body["content"] = [_part(one) for one in content] if isinstance(content, list) else content
    if message.get("name"):
        body["name"] = message["name"]
    if message.get("tool_calls"):
        body["tool_calls"] = [_tool_call(one) for one in _list(message, "tool_calls")]
    if message["role"] == "tool":
        body["tool_call_id"] = message.get("tool_call_id")
    return body


def _part(part: Any) -> dict[str, Any]:  # noqa: ANN401 - what a plugin has sent
    if not isinstance(part, Mapping):
        raise _invalid("a content of a prompt message is a dict with a type")
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part.get("data", "")}
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": _url(part), "detail": part.get("detail") or "auto"}}
    if kind == "audio" and part.get("base64_data"):
        audio = {"data": part["base64_data"], "format": part.get("format") or "wav"}
        return {"type": "input_audio", "input_audio": audio}
    if kind == "document" and part.get("base64_data"):
        filename = part.get("filename") or f"document.{part.get('format') or 'pdf'}"
        return {"type": "file", "file": {"filename": filename, "file_data": _url(part)}}
    raise _invalid(f"a server with the API of OpenAI takes no content of the type {kind!r} like this in a prompt")


def _url(part: Mapping[str, Any]) -> str:
    if part.get("url"):
        return str(part["url"])
    if not part.get("base64_data"):
        raise _invalid(f"a content of the type {part['type']!r} has neither url nor base64_data")
    mimetype = part.get("mime_type") or f"{part['type']}/{part.get('format') or 'png'}"
    return f"data:{mimetype};base64,{part['base64_data']}"


def _tool(tool: Any) -> dict[str, Any]:  # noqa: ANN401 - what a plugin has sent
    if not isinstance(tool, Mapping) or not isinstance(tool.get("name"), str):
        raise _invalid("a tool is a dict with a name")
    function = {"name": tool["name"], "description": tool.get("description") or ""}
    return {"type": "function", "function": {**function, "parameters": tool.get("parameters") or {}}}


def _tool_call(call: Any) -> dict[str, Any]:  # noqa: ANN401 - what a plugin has sent
    if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
        raise _invalid("a tool call is a dict with a function")
    function = {"name": call["function"].get("name"), "arguments": call["function"].get("arguments") or "{}"}
    return {"id": call.get("id"), "type": "function", "function": function}


def _list(values: Mapping[str, Any], name: str) -> list[Any]:
    found = values.get(name)
    if not isinstance(found, list):
        raise _invalid(f"{name} is no list")
    return found


def _invalid(text: str) -> CallRefused:
    return CallRefused("invalid", text)
