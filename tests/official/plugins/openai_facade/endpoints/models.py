import json

from dify_plugin import Endpoint
from endpoints.auth import BearerAuth
from werkzeug import Response


class Models(Endpoint, BearerAuth):
    def _invoke(self, r, values, settings):
        refused = self.refuse(r, settings)
        if refused:
            return refused
        listed = [{"id": settings["app"]["app_id"], "object": "model", "owned_by": "pond"}]
        return Response(json.dumps({"object": "list", "data": listed}), content_type="application/json")
