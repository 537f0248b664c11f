"""Handles the form for installing a package, which is on the page with all plugins."""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from endpointd.admin.problems import problem_of
from endpointd.console.door import Door
from endpointd.console.pages import PREFIX, plugin_path
from endpointd.console.parts import Parts
from endpointd.console.requests import wants_json
from endpointd.console.sessions import Session
from endpointd.console.shell import Shell
from endpointd.console.uploads import Upload, uploaded
from endpointd.errors import OperatorError, UsageError
from endpointd.plugins.status import InstalledStatus

_FORM = f"{PREFIX}/plugins#install"


class InstallPages:
    def __init__(self, parts: Parts, shell: Shell, door: Door) -> None:
        self._parts = parts
        self._shell = shell
        self._door = door

    def routes(self) -> list[Route]:
        return [Route(f"{PREFIX}/plugins", self._door.entered(self.install), methods=["POST"])]

    async def install(self, request: Request, session: Session) -> Response:
        def allow(fields: dict[str, str]) -> None:
            self._door.expect_own(request, session, fields)

        try:
            async with uploaded(request, self._parts.uploads, self._parts.limit_package(), allow) as upload:
                status = await self._install(upload)
        except OperatorError as error:
            return _refused(request, session, error)
        for warning in status.warnings:
            session.note("warn", warning)
        text = f"{status.id} {status.version} was installed and runs."
        return self._shell.done(request, session, plugin_path(status.id or status.folder), "good", text)

    async def _install(self, upload: Upload) -> InstalledStatus:
        if upload.file is None or not upload.file_name:
            raise UsageError("request_invalid", "no package was chosen", "choose a file, NAME.difypkg")
        replace = upload.fields.get("replace") == "true"
        return await self._parts.control.install_package(upload.file, replace=replace)


def _refused(request: Request, session: Session, error: OperatorError) -> Response:
    """The response to a refused package. Redirects to the page with the form, which shows the error, so that reloading
    that page does not send the package again."""
    if wants_json(request):
        return JSONResponse({"error": str(error)}, problem_of(error).status)
    session.refused = f"{error.message}; {error.remedy}"
    return RedirectResponse(_FORM, 303)
