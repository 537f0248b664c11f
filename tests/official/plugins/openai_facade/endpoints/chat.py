"""Chat completions of OpenAI's form, out of an app of Dify's."""

import json
from collections.abc import Generator, Mapping

from dify_plugin import Endpoint
from endpoints.auth import BearerAuth
from werkzeug import Request, Response


class ChatCompletions(Endpoint, BearerAuth):
    def _invoke(self, r: Request, values: Mapping, settings: Mapping) -> Response:
        refused = self.refuse(r, settings)
        if refused:
            return refused
        data = r.get_json(force=True)
        messages = data["messages"]
        if not messages:
            return self.error(400, "messages_missing", "messages must not be empty")
        query = messages[-1]["content"]
        if settings["mode"] == "whole":
            query = json.dumps(messages, ensure_ascii=False)
        if data.get("stream"):
            return Response(
                self._stream(settings["app"]["app_id"], query),
                status=200,
                headers={"Cache-Control": "no-cache", "Transfer-Encoding": "chunked"},
                content_type="text/event-stream",
            )
        said = self.session.app.chat.invoke(settings["app"]["app_id"], query, {}, response_mode="blocking")
        choice = {"index": 0, "message": {"role": "assistant", "content": said["answer"]}, "finish_reason": "stop"}
        return Response(
            json.dumps({"object": "chat.completion", "choices": [choice]}, ensure_ascii=False),
            content_type="application/json; charset=utf-8",
        )

    def _stream(self, app: str, query: str) -> Generator[str, None, None]:
        for event in self.session.app.chat.invoke(app, query, {}, response_mode="streaming"):
            if event["event"] == "message":
                delta = {"choices": [{"index": 0, "delta": {"content": event["answer"]}}]}
                yield f"data: {json.dumps(delta, ensure_ascii=False)}\n\n"
        yield "data: [DONE]\n\n"
