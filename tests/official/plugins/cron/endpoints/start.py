from dify_plugin import Endpoint
from scheduler import scheduler
from werkzeug import Response


class Start(Endpoint):
    def __init__(self, session):
        super().__init__(session)
        self.scheduler = scheduler

    def _invoke(self, r, values, settings):
        self.scheduler.sessions[r.args["job"]] = self.session
        return Response("scheduled", status=202)
