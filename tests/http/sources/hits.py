"""Counts the requests that reach this plugin at all, by a name in their path."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

_hits: Counter[str] = Counter()


class Hits(Endpoint):
    """`/hits` tells, `/hits/<name>` counts; the body is read to its end before it counts."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        if "name" in values:
            r.get_data()
            _hits[values["name"]] += 1
        return Response(json.dumps(_hits), mimetype="application/json")
