"""Single requests besides the load, to see which worker and which version of a plugin answers now."""

import http.client
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from soaking.answers import decoded

TIMEOUT = 60.0
NONCE = "disturber"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: the worker's pid and the plugin's version; or, if it is not from the plugin, in `refusal` its status
    and code, or the client's error."""

    pid: int | None = None
    version: int | None = None
    refusal: str = ""


class Asker:
    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)

    def ask(self, plugin: str, what: str = "say") -> Said:
        """Send one request on a new connection. Never raises for errors of the connection, because the worker may end
        meanwhile."""
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"/e/{plugin}/?{urlencode({'nonce': NONCE, 'what': what})}")
            response = connection.getresponse()
            document = decoded(response.read())
        except (OSError, http.client.HTTPException) as error:
            return Said(refusal=repr(error))
        finally:
            connection.close()
        if not isinstance(document, dict):
            return Said(refusal=f"{response.status} without a document")
        if response.status != 200:
            return Said(refusal=f"{response.status} {document.get('code')}")
        return Said(document.get("pid"), document.get("version"))
