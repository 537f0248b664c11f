"""Does what plugins do, and should not."""

from dify_plugin import Endpoint
from werkzeug import Response
from werkzeug.exceptions import abort

closed = []


class Chunks:
    def __iter__(self):
        yield b"one "
        yield b"two"

    def close(self):
        closed.append("chunks")


class Odd(Endpoint):
    def _invoke(self, r, values, settings):
        return getattr(self, values["name"].replace("-", "_"))()

    def value_error(self):
        raise ValueError("no such duck")

    def failure(self):
        raise RuntimeError("the database's password is swordfish")

    def forbidden(self):
        abort(403, "ducks only")

    def text(self):
        return "a text"

    def cookies(self):
        response = Response("cookies")
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response

    def chunks(self):
        return Response(Chunks())

    def closes(self):
        return Response(" ".join(closed) or "nothing")

    def breaks(self):
        def parts():
            yield "whole"
            raise RuntimeError("swordfish")

        return Response(parts())

    def computes(self):
        while True:
            pass

    def no_content(self):
        return Response("a body all the same", status=204)

    def empty(self):
        return Response(iter(()), status=203)
