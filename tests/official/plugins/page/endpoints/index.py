from pathlib import Path

from dify_plugin import Endpoint
from flask import Flask, render_template_string
from werkzeug import Response

app = Flask(__name__)
PAGE = (Path(__file__).parent.parent / "site" / "index.html").read_text()


class Index(Endpoint):
    def _invoke(self, r, values, settings):
        with app.app_context():
            text = render_template_string(PAGE, title=settings.get("title"), greeting=r.args.get("greeting", "<hello>"))
        response = Response(text, status=200, content_type="text/html")
        response.set_cookie("visited", "yes")
        return response
