"""The console of a real daemon, and plugins to look at in it."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from endpointd.testing.lines import Lines
from support.eventually import eventually
from support.plugins import write_plugin

TOKEN = "a-token-that-nobody-guesses"
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
        {"slow.py": SLOW, "leads.py": LEADS_AWAY},
        [("GET", "/", "slow.py"), ("GET", "/away", "leads.py"), ("GET", "/files/<path:rest>", "slow.py")],
    )
    write_plugin(plugins, "stock", {"stock.py": CRASHES}, [("GET", "/", "stock.py")])
    shutil.copytree(ROOT / "plugins" / "neko", plugins / "neko", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    (plugins / "half-copied").mkdir()
    (plugins / "half-copied" / "manifest.yaml").write_text("version: 0.1\n")


@dataclass
class Console:
    """`url` is the console's, without a slash at its end; `gateway` where plugins answer."""

    url: str
    gateway: str
    plugins: Path
    _port_file: Path
    _lines: Lines

    def log(self) -> str:
        return "\n".join(self._lines.all())

    @contextlib.contextmanager
    def revoked(self) -> Iterator[None]:
        """Within it there is no such token."""
        hidden = self._port_file.rename(self._port_file.with_suffix(".hidden"))
        try:
            yield
        finally:
            hidden.rename(self._port_file)


@contextlib.contextmanager
def running_console(root: Path, **settings: object) -> Iterator[Console]:
    """A daemon of its own, on the plugins in `root`/plugins."""
    from endpointd.testing.daemon import LogReader

    (root / "state").mkdir(exist_ok=True)
    port_file = root / "port"
    given = {"plugins": root / "plugins", "state": root / "state", "listen": "127.0.0.1:0", "log_format": "json"}
    flags = [f"{name}={value}" for name, value in {**given, "restart_limit": 1, **settings}.items()]
    process = subprocess.Popen(
        [sys.executable, "-P", Path(__file__).with_name("console_daemon.py"), port_file, TOKEN, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("ENDPOINTD_")},
    )
    assert process.stdout is not None
    reader = LogReader(process.stdout)
    try:
        ready = reader.lines.wait_for("] ready ", 30)
        eventually(port_file.exists)
        gateway = re.search(r"url=(http://[\w.:]+)", ready)
        assert gateway, ready
        url = f"http://localhost:{port_file.read_text()}"
        yield Console(url, gateway[1], root / "plugins", port_file, reader.lines)
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()
            process.wait()
        assert reader.join(5)
    assert process.returncode == 0, "\n".join(reader.lines.all())
