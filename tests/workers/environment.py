"""Tells what it finds in its environment, when it is imported and when it is called."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

AT_IMPORT = dict(os.environ)


class Environment(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        found = {
            "at_import": AT_IMPORT,
            "now": dict(os.environ),
            "initial": Path("/proc/self/environ").read_bytes().decode("latin-1"),
            "arguments": sys.argv,
            "folder": os.getcwd(),
        }
        return Response(json.dumps(found), content_type="application/json")
