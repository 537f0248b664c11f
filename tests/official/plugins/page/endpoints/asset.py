from dify_plugin import Endpoint
from werkzeug.utils import send_from_directory


class Asset(Endpoint):
    def _invoke(self, r, values, settings):
        return send_from_directory("site", values["file"], r.environ)
