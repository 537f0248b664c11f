"""Receives the messages of a chat service, which signs query and body, and answers with what an app says."""

import hashlib
import hmac
import json
import logging

from dify_plugin import Endpoint
from dify_plugin.config.logger_format import plugin_logger_handler
from dify_plugin.invocations.app.chat import ChatAppInvocation
from werkzeug import Request, Response

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
logger.addHandler(plugin_logger_handler)


class BotBridge(Endpoint):
    def _invoke(self, r: Request, values: dict, settings: dict) -> Response:
        if not self._is_signed(r, settings["secret"]):
            logger.warning("a message with a wrong signature")
            return Response("invalid signature", status=403)
        if r.method == "GET":
            return Response(r.args["challenge"])
        event = r.get_json()
        if r.headers.get("X-Retry"):
            return Response("ok")
        if settings.get("mention_only") and not event.get("mentioned"):
            return Response("ok")
        try:
            return self._reply(event, settings)
        except Exception as e:
            return Response(json.dumps({"text": f"Sorry: {e}"}), status=200, content_type="application/json")

    def _is_signed(self, r: Request, secret: str) -> bool:
        base = r.query_string + b"." + r.get_data()
        wanted = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, r.headers.get("X-Signature", ""))

    def _reply(self, event: dict, settings: dict) -> Response:
        key = f"conversation-{event['user']}"
        try:
            conversation = self.session.storage.get(key).decode()
        except Exception:
            conversation = ""
        said = ChatAppInvocation(self.session).invoke(
            app_id=settings["app"]["app_id"],
            query=event["text"],
            inputs={},
            response_mode="blocking",
            conversation_id=conversation,
        )
        self.session.storage.set(key, said["conversation_id"].encode())
        return Response(
            response=json.dumps({"text": said["answer"], "was": conversation}),
            status=200,
            content_type="application/json",
        )
