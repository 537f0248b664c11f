import json

from dify_plugin import Endpoint
from protocol import answer
from werkzeug import Response


class Streamable(Endpoint):
    def _invoke(self, r, values, settings):
        said = answer(r.json)
        if said is None:
            return Response(status=202)
        return Response(json.dumps(said), content_type="application/json", headers={"Mcp-Session-Id": "duck"})
