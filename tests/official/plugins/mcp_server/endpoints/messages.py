import json

from clients import listening
from dify_plugin import Endpoint
from protocol import answer
from werkzeug import Response


class Messages(Endpoint):
    def _invoke(self, r, values, settings):
        if values["client"] not in listening:
            return Response("nobody listens", status=410)
        said = answer(r.get_json())
        if said is not None:
            listening[values["client"]].put(json.dumps(said))
        return Response("", status=202, content_type="application/json")
