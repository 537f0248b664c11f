import json

from dify_plugin import Endpoint
from scheduler import scheduler
from werkzeug import Response


class State(Endpoint):
    def _invoke(self, r, values, settings):
        job = r.args["job"]
        count = int(self.session.storage.get(job)) if self.session.storage.exist(job) else 0
        state = {"alive": scheduler.is_alive() and scheduler.runs >= 0, "counts": count > 1, "errors": scheduler.errors}
        return Response(json.dumps(state), content_type="application/json")
