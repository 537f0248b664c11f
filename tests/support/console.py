"""The console of a real daemon, and plugins to look at in it."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from endpointd.admin.sockets import SOCKET
from endpointd.testing import DaemonStarter, RunningDaemon
from support.plugins import write_plugin

ROOT = Path(__file__).parents[2]

BRIDGE = """
import logging
from dify_plugin import Endpoint
from werkzeug import Response

log = logging.getLogger("bridge")


class Bridge(Endpoint):
    def _invoke(self, r, values, settings):
        log.warning("message for %s", values.get("channel", "nobody"))

        def pieces():
            yield f"to {values.get('channel')} with {r.headers.get('X-Sender')}: {r.get_data(as_text=True)}\\n"
            yield f"token of {len(settings['bot_token'])}, region {settings['region']}, again {settings['again']}\\n"

        return Response(pieces(), content_type="text/plain", headers={"X-Query": r.query_string.decode()})
"""

SLOW = """
import threading
from dify_plugin import Endpoint
from werkzeug import Response

class Slow(Endpoint):
    def _invoke(self, r, values, settings):
        def pieces():
            yield "the first piece\\n"
            for _ in range(300):
                threading.Event().wait(0.1)
                yield ": not yet\\n"
            yield "the last piece\\n"
        return Response(pieces(), content_type="text/event-stream")
"""

LEADS_AWAY = """
from dify_plugin import Endpoint
from werkzeug.utils import redirect

class Leads(Endpoint):
    def _invoke(self, r, values, settings):
        return redirect("http://127.0.0.1:9/elsewhere")
"""

LARGE = """
from dify_plugin import Endpoint
from werkzeug import Response

class Large(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(("x" * 65536 for _ in range(64)), content_type="text/plain")
"""

CRASHES = """
print("reading the stock list")
raise RuntimeError("the warehouse at db.internal:5432 does not answer")
"""


def _texts(english: str, **others: str) -> dict[str, str]:
    return {"en_US": english, **others}


SETTINGS = {
    "bot_token": {
        "type": "secret-input",
        "required": True,
        "label": _texts("Bot token", zh_Hans="机器人令牌", pt_BR="Token do bot"),
        "placeholder": _texts("xoxb-…"),
        "help": _texts("Made in the settings of the workspace.", pt_BR="Criado nas configurações do espaço."),
        "url": "https://bots.example.org/docs/tokens",
    },
    "signing_secret": {"type": "secret-input", "required": False, "label": _texts("Signing secret")},
    "greeting": {
        "type": "text-input",
        "required": False,
        "default": "Hello!",
        "label": _texts("Greeting", zh_Hans="问候语"),
        "placeholder": _texts("What the bot says first", zh_Hans="机器人先说的话"),
    },
    "region": {
        "type": "select",
        "required": True,
        "default": "eu",
        "label": _texts("Region"),
        "options": [
            {"value": "eu", "label": _texts("Europe", zh_Hans="欧洲")},
            {"value": "us", "label": _texts("United States", zh_Hans="美国")},
        ],
    },
    "again": {
        "type": "boolean",
        "required": False,
        "default": False,
        "label": _texts("Answer again when the platform retries"),
        "help": _texts("Most platforms send a message again when no answer came in three seconds."),
    },
    "app": {"type": "app-selector", "required": False, "scope": "chat", "label": _texts("App")},
    "model": {"type": "model-selector", "required": False, "scope": "llm", "label": _texts("Model")},
}


def furnish(plugins: Path) -> None:
    """A bridge that requires settings, one that answers slowly or leads away, one that does not start, a folder that
    is no plugin, and one of those that are shipped."""
    channel = "/channels/<channel>/messages"
    write_plugin(plugins, "chat-bridge", {"bridge.py": BRIDGE}, [("POST", channel, "bridge.py")], SETTINGS)
    write_plugin(
        plugins,
        "slow",
        {"slow.py": SLOW, "leads.py": LEADS_AWAY, "large.py": LARGE},
        [
            ("GET", "/", "slow.py"),
            ("GET", "/away", "leads.py"),
            ("GET", "/large", "large.py"),
            ("GET", "/files/<path:rest>", "slow.py"),
        ],
    )
    write_plugin(plugins, "stock", {"stock.py": CRASHES}, [("GET", "/", "stock.py")])
    shutil.copytree(ROOT / "plugins" / "neko", plugins / "neko", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    (plugins / "half-copied").mkdir()
    (plugins / "half-copied" / "manifest.yaml").write_text("version: 0.1\n")


@dataclass
class Console:
    """`url` is the console's, without a slash at its end; `gateway` where plugins answer; `token` opens the door."""

    url: str
    gateway: str
    daemon: RunningDaemon
    state: Path
    token: str = ""

    def new_token(self, name: str) -> tuple[str, str]:
        """Its id and its secret."""
        with self._local() as api:
            made = api.post("/api/v1/tokens", json={"name": name}).raise_for_status().json()
        return made["token"]["id"], made["secret"]

    def revoke(self, token_id: str) -> None:
        with self._local() as api:
            api.delete(f"/api/v1/tokens/{token_id}").raise_for_status()

    def uninstall(self, plugin_id: str) -> None:
        with self._local() as api:
            api.delete(f"/api/v1/plugins/{plugin_id}").raise_for_status()

    def declare(self, *endpoints: dict[str, object]) -> None:
        """Let a file declare these endpoints."""
        with self._local() as api:
            api.post("/api/v1/endpoints/apply", json={"endpoints": endpoints}).raise_for_status()

    def _local(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.state / SOCKET))
        return httpx.Client(transport=transport, base_url="http://endpointd", timeout=20)


@contextlib.contextmanager
def running_console(
    root: Path, listen: str = "127.0.0.1:0", certificate: tuple[Path, Path] | tuple[None, None] = (None, None)
) -> Iterator[Console]:
    """A daemon of its own, on the plugins in `root`/plugins. It speaks TLS with a `certificate` and its key."""
    starter = DaemonStarter(lambda name: root / name)
    try:
        daemon = starter(
            root / "plugins",
            state=root / "state",
            admin_listen="127.0.0.1:0",
            restart_limit=1,
            trusted_proxies="127.0.0.1",
            listen=listen,
            tls_certificate=certificate[0],
            tls_key=certificate[1],
        )
        url = json.loads(daemon.wait_for_log("admin.listening"))["url"]
        console = Console(url.replace("127.0.0.1", "localhost"), daemon.url, daemon, root / "state")
        console.token = console.new_token("operator")[1]
        yield console
    finally:
        starter.stop_all()


class Operator:
    """Somebody who has signed in."""

    def __init__(self, client: httpx.Client, token: str) -> None:
        self.client = client
        answer = client.post("/console/sign-in", data={"token": token})
        assert answer.status_code == 303, answer.text
        self.csrf = self._find_csrf()

    def _find_csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/plugins").text)
        assert found
        return found[1]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data={"csrf": self.csrf, **(form or {})}, headers=named)
