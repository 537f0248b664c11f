import json

from dify_plugin import Endpoint
from werkzeug import Response


class Data(Endpoint):
    def _invoke(self, r, values, settings):
        def parts():
            yield "["
            for number in range(int(r.args.get("count", "3"))):
                yield ("," if number else "") + json.dumps({"number": number})
            yield b"]"

        return Response(parts(), content_type="application/json")
