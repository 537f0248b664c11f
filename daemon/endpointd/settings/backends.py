"""The settings of backends, which answer plugins' session calls, and of which backend answers which calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, PlainSerializer

from endpointd.settings.network import check_web_url
from endpointd.settings.types import Clock, Concurrency, Form, Name, OptionalFile, Size, refuse_boolean

PATIENCE = 240
"""The longest time in seconds that a backend may send nothing. Plugins themselves give up after 250 seconds; with less
here they are told what was too slow."""

NOBODY = "none"
"""The value instead of a backend's name that means: no backend answers these calls."""

_PLACES = ("env", "file", "credential")
_SECRET = '{ file = "PATH" }, { env = "VARIABLE" } or { credential = "NAME" } (one of systemd\'s)'


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret is. `kind` is "env" (an environment variable), "file" or "credential" (of systemd)."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f'{{ {self.kind} = "{self.name}" }}'


def _check_secret(value: object) -> object:
    """Turn a table into a `SecretPlace`. Errors never quote a malformed value, because it may be the secret."""
    if value is None or isinstance(value, SecretPlace):
        return value
    if isinstance(value, str):
        raise ValueError("a secret is not written into the configuration itself")
    if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in _PLACES:
        raise ValueError("it does not say in one way where the secret is")
    kind, name = next(iter(value.items()))
    if not isinstance(name, str | Path) or not str(name).strip():
        raise ValueError(f"'{kind}' names nothing")
    return SecretPlace(kind, str(name))


_written = PlainSerializer(lambda value: None if value is None else str(value), when_used="json")
Url = Annotated[
    str,
    AfterValidator(lambda text: check_web_url(text, "give a key").rstrip("/")),
    Form("URL", "a URL such as https://ai.example.org/v1 without query"),
]
Secret = Annotated[SecretPlace, BeforeValidator(_check_secret), _written, Form("SECRET", _SECRET)]
OptionalSecret = Annotated[SecretPlace | None, BeforeValidator(_check_secret), _written, Form("SECRET", _SECRET)]
Patience = Annotated[
    float,
    BeforeValidator(refuse_boolean),
    Field(gt=0, le=PATIENCE, allow_inf_nan=False),
    Form("SECONDS", f"a number of seconds above 0, up to {PATIENCE}"),
]
Text = Annotated[str, Field(min_length=1), Form("TEXT", "a text")]
OptionalText = Annotated[str | None, Field(min_length=1), Form("TEXT", "a text")]
Renaming = Annotated[dict[str, str], Form("TABLE", 'a table of strings such as { "gpt-4o" = "llama3.1:8b" }')]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BackendSettings(_Table):
    """The settings that every backend has. Clocks are in seconds, sizes in bytes."""

    url: Url = Field(description="base of the URLs that it answers at")
    ca_file: OptionalFile = Field(
        default=None, description="certificates, in PEM, by one of which its own is to be signed"
    )
    concurrency: Concurrency = Field(default=128, description="calls that it is given at once; further ones wait")
    clock_connect: Patience = Field(default=5, description="longest time until it is connected with")
    clock_idle: Patience = Field(
        default=PATIENCE, description="longest time until it begins to answer, and between two pieces of the answer"
    )
    clock_total: Clock = Field(default=0, description="longest time that a whole call may take")
    limit_file: Size = Field(default=ByteSize(100 * 1024 * 1024), description="largest file that a plugin may send it")


class DifyInner(BackendSettings):
    """Dify by its inner API, as Dify's own plugin daemon uses it: answers every call."""

    type: Literal["dify-inner"]
    key: Secret = Field(description="Dify's `INNER_API_KEY_FOR_PLUGIN`")
    tenant: Text = Field(description="id of the workspace whose apps, models and tools plugins use")


class App(_Table):
    """An app of Dify's that plugins may use."""

    key: Secret = Field(description="the app's API key")
    mode: Annotated[
        Literal["chat", "completion", "workflow"] | None, Form("chat|completion|workflow", "chat, completion, workflow")
    ] = Field(default=None, description="what kind of app it is; without it Dify is asked")


class DifyApi(BackendSettings):
    """Dify by its public API, with a key for each app: answers calls of apps, and files for them."""

    type: Literal["dify-api"]
    apps: Annotated[dict[str, App], Form("TABLES", "a table for each app id")] = Field(
        min_length=1, description="the apps that plugins may use, by the id that plugins call them by"
    )
    user: OptionalText = Field(
        default=None, description="user that Dify sees when the plugin names none; without it the plugin's id"
    )
    upload_app: OptionalText = Field(
        default=None, description="id of the app whose key files are uploaded with; without it the first"
    )


class OpenAi(BackendSettings):
    """A server with the API of OpenAI: answers calls of models."""

    type: Literal["openai"]
    key: OptionalSecret = Field(default=None, description="API key; without it none is sent")
    models: Renaming = Field(
        default_factory=dict,
        description="what the server calls the models that plugins ask for; others keep their name",
    )
    summary_model: OptionalText = Field(
        default=None, description="model for `session.model.summary`, which names none; without it that is refused"
    )


Backend: TypeAlias = DifyInner | DifyApi | OpenAi

BACKENDS: Mapping[str, type[DifyInner] | type[DifyApi] | type[OpenAi]] = {
    "dify-inner": DifyInner,
    "dify-api": DifyApi,
    "openai": OpenAi,
}
BackendTables: TypeAlias = dict[str, Annotated[Backend, Field(discriminator="type")]]


class Calls(_Table):
    """Which backend answers which calls: the name of a backend, or `none`. A type of model wins over `model`."""

    app: Name = Field(default=None, description="apps: `session.app`")
    model: Name = Field(default=None, description="models of every kind")
    llm: Name = Field(default=None, description="large language models, and summaries")
    text_embedding: Name = Field(default=None, description="embeddings")
    rerank: Name = Field(default=None, description="reranking")
    tts: Name = Field(default=None, description="speech from text")
    speech2text: Name = Field(default=None, description="text from speech")
    moderation: Name = Field(default=None, description="moderation")
    tool: Name = Field(default=None, description="tools: `session.tool`")
    node: Name = Field(default=None, description="single nodes: `session.workflow_node`")
    file: Name = Field(default=None, description="files: `session.file`")

    def first(self, names: tuple[str, ...]) -> str | None:
        """The value of the first of these fields that is set; None if none is."""
        found: list[str | None] = [getattr(self, name) for name in names]
        return next((value for value in found if value is not None), None)


def secrets_of(backend: Backend) -> dict[str, SecretPlace]:
    """Where the backend's secrets are, by their keys in its table: `key`, or `apps."ID".key`."""
    if isinstance(backend, DifyApi):
        return {f'apps."{name}".key': app.key for name, app in backend.apps.items()}
    return {} if backend.key is None else {"key": backend.key}
