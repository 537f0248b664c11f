"""Renders pages with what they have in common, and responds to actions."""

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
        # A script that updates a page shows only parts of it, so the user would not see the messages.
        notes = session.take_notes() if is_by_hand(request) else []
        return await self._pages.page(
            template, status, session=session, notes=notes, path=request.url.path, csrf=session.csrf, **values
        )

    @staticmethod
    def done(request: Request, session: Session, to: str, tone: str, text: str) -> Response:
        """The response to an action with the result `text`: JSON for a script, else a redirect to the page `to`, which
        shows it. `tone` is as in `Note`."""
        if wants_json(request):
            return JSONResponse({"tone": tone, "text": text})
        session.note(tone, text)
        return RedirectResponse(to, 303)
