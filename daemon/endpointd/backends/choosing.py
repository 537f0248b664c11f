"""Chooses the backend for a call, by the kind of call and the plugin that makes it. Pure.

The plugin's own table `calls` has precedence over the general one, and in each the key for one kind of model over
`model`. If none of them is set, the first backend in the configuration that answers such calls is chosen.
"""

from collections.abc import Iterator, Mapping

from endpointd.errors import UsageError
from endpointd.manifest.suggestions import meant
from endpointd.sessions.errors import CallRefused
from endpointd.sessions.permissions import NEEDS
from endpointd.settings.backends import NOBODY, Backend, Calls
from endpointd.settings.settings import Settings

_LLM = ("llm", "model")
_EMBEDDING = ("text_embedding", "model")
_RERANK = ("rerank", "model")

NAMES: Mapping[str, tuple[str, ...]] = {
    "app": ("app",),
    "fetch_app": ("app",),
    "llm": _LLM,
    "llm_structured_output": _LLM,
    "system_summary": _LLM,
    "text_embedding": _EMBEDDING,
    "multimodal_embedding": _EMBEDDING,
    "rerank": _RERANK,
    "multimodal_rerank": _RERANK,
    "tts": ("tts", "model"),
    "speech2text": ("speech2text", "model"),
    "moderation": ("moderation", "model"),
    "tool": ("tool",),
    "node_parameter_extractor": ("node",),
    "node_question_classifier": ("node",),
    "upload_file": ("file",),
}
"""For each kind of call: the keys of the table `calls` that choose its backend. The first one that is set counts."""

ANSWERS: Mapping[str, frozenset[str]] = {
    "dify-inner": frozenset(NEEDS) - {"storage"},
    "dify-api": frozenset({"app", "fetch_app", "upload_file"}),
    "openai": frozenset(
        {
            "llm",
            "llm_structured_output",
            "system_summary",
            "text_embedding",
            "rerank",
            "tts",
            "speech2text",
            "moderation",
        }
    ),
}
"""For each type of backend: the kinds of calls that it answers."""


def choose(settings: Settings, plugin: str, kind: str) -> str:
    """The name of the backend for a call of this kind by `plugin`. Raises `CallRefused` if there is none."""
    names = NAMES[kind]
    own = settings.plugin.get(plugin)
    for calls in ([own.calls] if own is not None else []) + [settings.calls]:
        chosen = calls.first(names)
        if chosen == NOBODY:
            raise _unanswered(plugin, kind, f"the configuration says so ({names[0]} = {NOBODY!r} below calls)")
        if chosen is not None:
            backend = settings.backend[chosen]
            if kind in ANSWERS[backend.type]:
                return chosen
            reason = f"{chosen!r}, which is configured for them, is of the type {backend.type} and cannot"
            raise _unanswered(plugin, kind, reason)
    for name, backend in settings.backend.items():
        if kind in ANSWERS[backend.type]:
            return name
    types = " or ".join(f'type = "{name}"' for name, kinds in ANSWERS.items() if kind in kinds)
    raise _unanswered(
        plugin,
        kind,
        f"the configuration of endpointd has no backend for them; write a table [backend.NAME] with {types}",
    )


def faults(settings: Settings) -> Iterator[UsageError]:
    """What is wrong in the tables `calls` and in those of the backends, beyond what the settings' own types check."""
    yield from _faults_of(settings.calls, "calls", settings.backend)
    for plugin, limits in settings.plugin.items():
        yield from _faults_of(limits.calls, f'plugin."{plugin}".calls', settings.backend)
    for name, backend in settings.backend.items():
        if name == NOBODY:
            yield UsageError("backend_name", f"a backend cannot be called {NOBODY!r}", "give it another name")
        if backend.type == "dify-api" and backend.upload_app not in (None, *backend.apps):
            message = f"backend.{name}.upload_app is {backend.upload_app!r}, which is none of its apps"
            yield UsageError("backend_unknown", message, meant(backend.upload_app or "", backend.apps))


def _faults_of(calls: Calls, where: str, backends: Mapping[str, Backend]) -> Iterator[UsageError]:
    for key in Calls.model_fields:
        name = calls.first((key,))
        if name in (None, NOBODY):
            continue
        assert name is not None
        backend = backends.get(name)
        if backend is None:
            message = f"{where}.{key} is {name!r}, and there is no such backend"
            remedy = meant(name, backends) if backends else f"write a table [backend.{name}]"
            yield UsageError("backend_unknown", message, remedy)
        elif not any(key in NAMES[kind] for kind in ANSWERS[backend.type]):
            able = [name for name, kinds in ANSWERS.items() if any(key in NAMES[kind] for kind in kinds)]
            message = f"{where}.{key} is {name!r}, which is of the type {backend.type} and answers no such calls"
            yield UsageError("backend_unable", message, f"name one of the type {' or '.join(able)}")


def _unanswered(plugin: str, kind: str, reason: str) -> CallRefused:
    return CallRefused("unconfigured", f"nothing answers calls of the kind {kind} for {plugin}: {reason}")
