import orjson
from dify_plugin import Endpoint
from werkzeug import Response


class Sort(Endpoint):
    def _invoke(self, r, values, settings):
        found = orjson.loads(r.get_data())
        return Response(orjson.dumps(found, option=orjson.OPT_SORT_KEYS), content_type="application/json")
