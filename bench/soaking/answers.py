"""The code of the soak's plugins (`SOURCE`), and the check of their answers: whether one comes from the right plugin,
belongs to exactly this request, and is complete. Pure.
"""

import hashlib
import json
from typing import Any

SOURCE = """
import hashlib, json, os, threading
from dify_plugin import Endpoint
from werkzeug import Response

PLUGIN, VERSION = {plugin!r}, {version}
PIECE = 65536

def say(r):
    return dict(plugin=PLUGIN, version=VERSION, nonce=r.args["nonce"], pid=os.getpid())

def stream(r):
    for number in range(int(r.args["pieces"])):
        yield json.dumps(say(r) | dict(number=number)) + "\\n"
        threading.Event().wait(float(r.args["pause"]))

def upload(r):
    size, whole = 0, hashlib.sha256()
    while piece := r.stream.read(PIECE):
        size += len(piece)
        whole.update(piece)
    return dict(size=size, sha256=whole.hexdigest())

class Soaked(Endpoint):
    def _invoke(self, r, values, settings):
        what = r.args["what"]
        if what == "crash":
            os._exit(3)
        if what == "stream":
            return Response(stream(r))
        return Response(json.dumps(say(r) | (upload(r) if what == "upload" else dict())))
"""

BROKEN = {
    "syntax": "def broken(:\n",
    "exits": "raise SystemExit(3)\n",
    "import": "import no_such_module_at_all\n",
}
"""Sources of versions that never become ready."""

DIES_YOUNG = "import os, threading\nthreading.Timer(0.05, os._exit, [3]).start()\n"
"""Put before the source, this makes a version that becomes ready, and dies soon after."""


def source(plugin: str, version: int) -> str:
    return SOURCE.format(plugin=plugin, version=version)


def fault_of(document: Any, plugin: str, nonce: str, latest: int) -> str | None:  # noqa: ANN401 - what came
    """What is wrong with the plugin, request or version of an answer; None if nothing is. `latest` is the newest
    version of the plugin that exists."""
    if not isinstance(document, dict):
        return "no answer of the plugin's"
    if document.get("plugin") != plugin:
        return "answer of another plugin"
    if document.get("nonce") != nonce:
        return "answer to another request"
    version = document.get("version")
    return None if isinstance(version, int) and 1 <= version <= latest else "answer of a version that never was"


def fault_of_body(body: bytes, plugin: str, nonce: str, latest: int) -> str | None:
    document = decoded(body)
    return fault_of(document, plugin, nonce, latest)


def fault_of_upload(body: bytes, plugin: str, nonce: str, latest: int, sent: bytes) -> str | None:
    document = decoded(body)
    fault = fault_of(document, plugin, nonce, latest)
    if fault is None and (document.get("size"), document.get("sha256")) != (
        len(sent),
        hashlib.sha256(sent).hexdigest(),
    ):
        return "request body not whole"
    return fault


def fault_of_stream(body: bytes, plugin: str, nonce: str, latest: int, pieces: int) -> str | None:
    """What is wrong with a stream: all pieces must be there in order, and come from one worker."""
    documents = [decoded(line) for line in body.splitlines()]
    for document in documents:
        if (fault := fault_of(document, plugin, nonce, latest)) is not None:
            return fault
    if [document.get("number") for document in documents] != list(range(pieces)):
        return "stream not whole"
    return None if len({(one.get("pid"), one["version"]) for one in documents}) == 1 else "stream of two workers"


def decoded(body: bytes) -> Any:  # noqa: ANN401
    """The JSON document in `body`; None if it is not JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None
