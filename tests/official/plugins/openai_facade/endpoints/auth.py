"""What the endpoints have in common."""

import json

from werkzeug import Request, Response


class BearerAuth:
    def refuse(self, r: Request, settings: dict) -> Response | None:
        kind, _, key = r.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or key != settings["api_key"]:
            return self.error(401, "invalid_api_key", "Incorrect API key provided")
        return None

    def error(self, status: int, code: str, message: str) -> Response:
        body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
        return Response(json.dumps(body), status=status, content_type="application/json")
