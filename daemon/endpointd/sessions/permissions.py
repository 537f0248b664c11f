"""The kinds of session calls, and the permission that a plugin's manifest must request for each."""

from collections.abc import Callable, Mapping

from endpointd.manifest.model import Permissions
from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused

Asked = Callable[[Permissions], bool]


def _model(name: str) -> tuple[str, Asked]:
    place = f"model: {{enabled: true, {name}: true}}"
    return place, lambda permissions: name in permissions.models


_APP: tuple[str, Asked] = ("app: {enabled: true}", lambda permissions: permissions.app)
_NODE: tuple[str, Asked] = ("node: {enabled: true}", lambda permissions: permissions.node)

NEEDS: Mapping[str, tuple[str, Asked] | None] = {
    "storage": ("storage: {enabled: true}", lambda permissions: permissions.storage),
    "app": _APP,
    "fetch_app": _APP,
    "tool": ("tool: {enabled: true}", lambda permissions: permissions.tool),
    "llm": _model("llm"),
    "llm_structured_output": _model("llm"),
    "system_summary": _model("llm"),
    "text_embedding": _model("text_embedding"),
    "multimodal_embedding": _model("text_embedding"),
    "rerank": _model("rerank"),
    "multimodal_rerank": _model("rerank"),
    "tts": _model("tts"),
    "speech2text": _model("speech2text"),
    "moderation": _model("moderation"),
    "node_parameter_extractor": _NODE,
    "node_question_classifier": _NODE,
    # No permission is needed, as in Dify.
    "upload_file": None,
}
"""For each kind of call: what to write in the manifest, and a function that tells whether the permission is there."""


def check(caller: Caller, kind: str) -> None:
    """Raises `CallRefused` if the plugin may not make calls of this kind, or if there is no such kind."""
    if kind not in NEEDS:
        raise CallRefused("invalid", f"there are no calls of the kind {kind[:80]!r}")
    need = NEEDS[kind]
    if need is not None and not need[1](caller.permissions):
        raise CallRefused(
            "denied",
            f"permission denied: the manifest of {caller.plugin} does not ask for {kind};"
            f" below resource: permission: write {need[0]}",
        )
