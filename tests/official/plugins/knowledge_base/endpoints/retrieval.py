"""Retrieval as Dify's knowledge bases ask for it: https://docs.dify.ai calls it an external knowledge API."""

import json
from collections.abc import Mapping

from dify_plugin import Endpoint
from pydantic import BaseModel, Field
from werkzeug import Request, Response

RECORDS = [
    ("Ducks dive in ponds.", 0.98),
    ("Geese fly south in autumn. Die Gänse auch.", 0.71),
    ("Swans sing seldom.", 0.32),
]


class RetrievalSetting(BaseModel):
    top_k: int = Field(gt=0)
    score_threshold: float = 0.0


class Retrieval(BaseModel):
    knowledge_id: str
    query: str
    retrieval_setting: RetrievalSetting


class RetrievalEndpoint(Endpoint):
    def _invoke(self, r: Request, values: Mapping, settings: Mapping) -> Response:
        authorization = r.headers.get("Authorization", "")
        if not authorization.startswith("Bearer "):
            return self._json({"error_code": 1001, "error_msg": "Invalid Authorization header format."}, 403)
        if authorization.removeprefix("Bearer ") != settings["token"]:
            return self._json({"error_code": 1002, "error_msg": "Authorization failed"}, 403)
        asked = Retrieval.model_validate(r.get_json())
        limit = asked.retrieval_setting
        records = [
            {"content": text, "score": score, "title": asked.knowledge_id, "metadata": {"region": settings["region"]}}
            for text, score in RECORDS
            if score >= limit.score_threshold
        ]
        return self._json({"records": records[: limit.top_k]})

    def _json(self, body: object, status: int = 200) -> Response:
        return Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
