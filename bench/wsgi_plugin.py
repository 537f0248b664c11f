"""Serves one endpoint plugin in-process, as a WSGI application for the peers.

The environment variable ``BENCH_PLUGIN`` is the path of the plugin's folder. For each request this does what the
original runtime does and no more: match werkzeug's map, construct the class, call ``_invoke``. Unlike the daemon, it
does not explain mistakes in the manifest: these raise a ``KeyError``.
"""

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from werkzeug import Request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The built-in dify_plugin is last on the path, as in a worker.
sys.path.append(str(Path(__file__).parents[1] / "worker" / "endpointd_worker" / "sdk"))

from dify_plugin import Endpoint


class PluginApplication:
    """A WSGI application that serves all interfaces of the plugin in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._map = Map(list(rules(folder)))
        # No measured plugin declares a default, so the daemon passes empty settings as well.
        self._settings: Mapping[str, Any] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, values = self.match(environ)
        except HTTPException as error:
            return error(environ, start_response)
        response = endpoint(None)._invoke(request, values, self._settings)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def match(self, environ: "WSGIEnvironment") -> tuple[Any, Mapping[str, Any]]:
        """Return the class that answers, and the path's parameters; raise HTTPException if no rule matches."""
        endpoint, values = self._map.bind_to_environ(environ).match()
        return endpoint, values


def rules(folder: Path) -> Iterator[Rule]:
    """Yield a rule for each interface, in the manifest's order; the rule's endpoint is the class that answers."""
    manifest = load_yaml(folder / "manifest.yaml")
    for group in manifest["plugins"]["endpoints"]:
        for entry in load_yaml(folder / group)["endpoints"]:
            interface = load_yaml(folder / entry) if isinstance(entry, str) else entry
            source = folder / interface["extra"]["python"]["source"]
            yield Rule(interface["path"], methods=[interface["method"]], endpoint=endpoint_class(source))


def load_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def endpoint_class(source: Path) -> type[Endpoint]:
    """Import ``source`` and return the one Endpoint subclass that it defines."""
    spec = importlib.util.spec_from_file_location(source.stem, source)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} is not a Python source file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    defined = (thing for thing in vars(module).values() if getattr(thing, "__module__", None) == spec.name)
    (found,) = (thing for thing in defined if isinstance(thing, type) and issubclass(thing, Endpoint))
    return found


application = PluginApplication(Path(os.environ["BENCH_PLUGIN"]))
