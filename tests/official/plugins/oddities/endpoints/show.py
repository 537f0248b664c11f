"""Shows the request."""

import json

from dify_plugin import Endpoint
from werkzeug import Response


class Show(Endpoint):
    def _invoke(self, r, values, settings):
        names = ("url", "root_path", "path", "remote_addr", "scheme", "method", "host")
        shown = {name: getattr(r, name) for name in names}
        shown |= {"values": dict(values), "args": r.args.to_dict(flat=False), "query": r.query_string.decode()}
        shown |= {"tag": r.headers.getlist("X-Tag"), "cookies": r.cookies.to_dict(flat=False)}
        return Response(json.dumps(shown), content_type="application/json")
