"""A stream of events that never ends: first where to send messages, then the answers to them."""

import queue
import secrets

from clients import listening
from dify_plugin import Endpoint
from werkzeug import Response


class Listen(Endpoint):
    def _invoke(self, r, values, settings):
        client = r.args.get("client") or secrets.token_hex(4)
        listening[client] = queue.Queue()

        def events():
            try:
                yield f"event: endpoint\ndata: messages/{client}\n\n"
                while True:
                    try:
                        yield f"event: message\ndata: {listening[client].get(timeout=1)}\n\n"
                    except queue.Empty:
                        yield ": ping\n\n"
            finally:
                del listening[client]

        return Response(events(), status=200, content_type="text/event-stream")
