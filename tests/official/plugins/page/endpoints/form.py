import json

from dify_plugin import Endpoint
from werkzeug import Response


class Form(Endpoint):
    def _invoke(self, r, values, settings):
        files = {name: [file.filename, file.mimetype, len(file.read())] for name, file in r.files.items()}
        return Response(json.dumps([r.form.to_dict(flat=False), files]), status=201, content_type="application/json")
