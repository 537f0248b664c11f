"""What all pages have around them, and what follows when something was done."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from endpointd.console.pages import Pages
from endpointd.console.requests import is_by_hand, wants_json
from endpointd.console.sessions import Session


class Shell:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def page(
        self,
        request: Request,
        session: Session,
        template: str,
        status: int = 200,
        **values: Any,  # noqa: ANN401
    ) -> Response:
        # A page that looks again by itself is shown to nobody as a whole.
        notes = session.take_notes() if is_by_hand(request) else []
        return await self._pages.page(
            template, status, session=session, notes=notes, path=request.url.path, csrf=session.csrf, **values
        )

    @staticmethod
    def done(request: Request, session: Session, to: str, tone: str, text: str) -> Response:
        """Tell what came of something: a script at once, everybody else on the page `to`."""
        if wants_json(request):
            return JSONResponse({"tone": tone, "text": text})
        session.note(tone, text)
        return RedirectResponse(to, 303)
