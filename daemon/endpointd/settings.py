"""The one declaration of everything an operator can set: names, kinds, defaults, meanings, and who wins.

The same name serves in the configuration file (`clock_queue`), in the environment (`ENDPOINTD_CLOCK_QUEUE`) and as
a flag (`--clock-queue`). A flag wins over the environment, the environment over the file, the file over the default.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from endpointd.backend_settings import BackendTables, Calls
from endpointd.network_settings import (
    CallerNetworks,
    CallerOrigins,
    CallerRate,
    FileMode,
    ForwardingHeaders,
    Listens,
    Networks,
    OptionalListen,
    PublicUrl,
    TlsVersion,
    TraceUrl,
)
from endpointd.setting_names import ENVIRONMENT_PREFIX
from endpointd.setting_types import (
    Bound,
    Clock,
    Concurrency,
    ConfigFile,
    Connections,
    Count,
    Database,
    EndpointsFile,
    EnvironmentVariables,
    FindLinks,
    Flag,
    Folder,
    Form,
    Grace,
    IndexUrl,
    Interpreters,
    KeyFilePath,
    KeyFiles,
    LogFile,
    LogFormatValue,
    LogLevelValue,
    Niceness,
    OptionalFile,
    OptionalFolder,
    QueueSize,
    ReadyPolicyValue,
    SignaturePolicy,
    Size,
    SizeBound,
    StartMode,
    Tasks,
    TraceParent,
    UserName,
    WatchMode,
    Workers,
    refuse_text,
)
from endpointd.settings_file import read_settings_file

_PATHS = frozenset(
    {
        "endpoints_file",
        "environments",
        "log_file",
        "package_keys",
        "plugins",
        "python_interpreters",
        "secret_key",
        "state",
    }
    | {"tls_certificate", "tls_key", "uv_cache"}
)
"""What is relative to the configuration file, where it is named there."""

TABLES = ("backend", "calls", "plugin")
"""What neither a flag nor a variable can hold."""

_KIB = 1024
_MIB = 1024 * _KIB


class SharedLimits(BaseModel):
    """What can be set for all plugins at once and for one plugin alone. Clocks are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: Concurrency = Field(default=32, description="requests that one worker runs at once")
    concurrency_async: Tasks = Field(
        default=5000, description="requests that one worker runs at once when all interfaces of its plugin are async"
    )
    workers: Workers = Field(
        default=1,
        description="workers of one plugin that answer side by side; with `development` there is one",
    )
    queue_size: QueueSize = Field(
        default=512, description="requests of one plugin that may wait for a free place; more are answered with 503"
    )
    clock_client_idle: Clock = Field(
        default=30, description="longest pause of a client that is sending a request body or reading a response"
    )
    clock_build: Clock = Field(
        default=600, description="longest time that the build of a plugin's environment may take, once it has begun"
    )
    clock_start: Clock = Field(default=60, description="longest time a worker may take to become ready")
    clock_queue: Clock = Field(default=10, description="longest wait of a request for a free place in its worker")
    clock_first_byte: Clock = Field(
        default=60, description="longest time from handing a request to the plugin to the head of its response"
    )
    clock_idle: Clock = Field(default=300, description="longest pause of the plugin between two chunks of a response")
    clock_total: Clock = Field(default=0, description="longest time that a whole request may take")
    clock_drain: Grace = Field(
        default=30, description="time that running requests have to finish when their worker is to stop"
    )
    clock_kill: Grace = Field(default=5, description="time from asking a worker to exit to killing it")
    output_rate: Bound = Field(
        default=200,
        description="lines of a plugin's output that are logged in a second; ten times as many at once",
    )
    clock_ping: Clock = Field(
        default=10, description="time that a worker may take to answer a ping; then it is killed and replaced"
    )
    clock_cancel_grace: Grace = Field(
        default=10,
        description="time that a cancelled request has to leave its thread; then its worker is replaced",
    )
    restart_limit: Count = Field(
        default=10, description="failures of a worker in a row after which it is not started again (FATAL)"
    )
    restart_stable: Grace = Field(
        default=10, description="time that a worker must have run for its next failure to count as the first"
    )
    restart_longest: Grace = Field(default=60, description="longest pause before a failed worker is started again")

    recycle_requests: Bound = Field(default=0, description="requests after which a worker is replaced")
    recycle_age: Clock = Field(default=0, description="time after which a worker is replaced")
    recycle_memory: SizeBound = Field(
        default=ByteSize(0), description="resident memory from which on a worker is replaced"
    )
    start: StartMode = Field(
        default="always",
        description="when a plugin's worker is there; on-demand: from the first request on, until it is idle",
    )
    idle_stop: Clock = Field(
        default=300, description="time without a request after which a worker that was started on demand is ended"
    )
    limit_files: Bound = Field(
        default=1024, description="files that a worker may have open; with 0 as many as the daemon itself"
    )
    limit_memory: SizeBound = Field(
        default=ByteSize(0),
        description="memory that a worker may take; beyond it the plugin gets a MemoryError, or in a control group the"
        " worker ends",
    )
    limit_processes: Bound = Field(
        default=0,
        description="processes and threads of a worker; outside of a control group those of its user, all taken"
        " together, and root has no bound",
    )
    allow_from: CallerNetworks = Field(
        default=(), description="addresses that may call endpoints which do not say so themselves; without it all may"
    )
    rate: CallerRate = Field(
        default=None,
        description="requests that endpoints which do not say so themselves answer for each address; more get 429",
    )
    cors_origins: CallerOrigins = Field(
        default=(),
        description="origins whose pages may call endpoints which do not say so themselves (CORS)",
    )
    nice: Niceness = Field(default=0, description="how much a worker stands back for others who want the processor")
    user: UserName = Field(default=None, description="user that workers run as, when the daemon is root's")
    group: UserName = Field(default=None, description="group that workers run as, instead of the user's own")
    value_error_is_404: Flag = Field(
        default=False,
        description="answer a ValueError of a plugin with 404 and its text, as Dify does, and not with 500",
    )


class PluginLimits(SharedLimits):
    """The limits of one plugin, and what its worker's environment variables are to hold besides."""

    env: EnvironmentVariables = Field(
        default_factory=dict, repr=False, description="environment variables for the plugin's worker"
    )
    calls: Annotated[Calls, Form("TABLE", 'a table such as { llm = "NAME" }')] = Field(
        default_factory=Calls, description="backends for this plugin, which win over those of `[calls]`"
    )


class ConfigFileSource(TomlConfigSettingsSource):
    """The values of the file that a flag or the environment names; both have been read before it."""

    def __call__(self) -> dict[str, object]:
        """The file's values, or nothing when no file is named. UsageError: the file cannot be used."""
        path = self.current_state.get("config")
        return read_settings_file(Path(path), _PATHS) if path else {}


class Settings(SharedLimits, BaseSettings):
    """The effective settings of one daemon; never changed once made. Clocks are in seconds, limits in bytes.

    `Settings(**flags)` reads the environment and the file by itself. pydantic's ValidationError: a value or a key
    cannot be used; UsageError: the file cannot be read.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENVIRONMENT_PREFIX, env_ignore_empty=True)

    config: ConfigFile = Field(default=None, description="configuration file to read")
    plugins: Folder = Field(default=Path("plugins"), description="directory whose folders are the plugins to serve")
    state: Folder = Field(default=Path("state"), description="directory for what the daemon keeps; made when missing")
    database: Database = Field(
        default=None, description="where endpoints are kept; without it in endpointd.db in the state directory"
    )
    secret_key: KeyFilePath = Field(
        default=None,
        description="file with the keys that seal secrets; without it systemd's credential endpointd-key, or secret.key"
        " in the state directory, made when missing",
    )
    endpoints_file: EndpointsFile = Field(
        default=None, description="file that declares endpoints; applied at the start and whenever it changes"
    )
    admin_group: UserName = Field(
        default=None, description="group whose members may control the daemon, besides the user it runs as"
    )
    admin_listen: OptionalListen = Field(
        default=None,
        description="address to answer the administration's API on as well, to who has a token; without it nowhere but"
        " on the socket in the state directory",
    )
    listen: Listens = Field(default=("127.0.0.1:8080",), description="addresses to accept HTTP connections on")
    listen_mode: FileMode = Field(default="0660", description="rights of the unix sockets among them")
    listen_group: UserName = Field(default=None, description="group that the unix sockets among them belong to")
    tls_certificate: OptionalFile = Field(
        default=None,
        description="file with the certificate, and those that it depends on; with it connections over TCP are HTTPS"
        " alone, and a renewal is noticed",
    )
    tls_key: OptionalFile = Field(
        default=None, description="file with the certificate's private key; without it in the certificate's file"
    )
    tls_minimum: TlsVersion = Field(default="1.2", description="oldest version of TLS that clients may speak")
    public_url: PublicUrl = Field(
        default=None,
        description="base of the URLs under which clients reach the daemon, when a proxy stands before it",
    )
    trusted_proxies: Networks = Field(
        default=(), description="proxies that are believed when they name the client in forwarding headers"
    )
    forwarding_headers: ForwardingHeaders = Field(
        default="x-forwarded",
        description="headers in which trusted proxies name the client: X-Forwarded-For, -Proto and -Host, or Forwarded",
    )
    watch: WatchMode = Field(
        default="auto",
        description="how changes of the plugins directory are noticed; auto polls where the file system tells nothing",
    )
    releases_kept: Count = Field(default=3, description="older releases of each plugin that are kept for a rollback")
    environments: OptionalFolder = Field(
        default=None, description="directory for plugins' environments; without it environments in the state directory"
    )
    python_interpreters: Interpreters = Field(
        default=(),
        description="interpreters, or the folders that they are installed in, that come before those of PATH, of uv"
        " and of pyenv",
    )
    offline: Flag = Field(default=False, description="build environments without the network")
    uv_index_url: IndexUrl = Field(default=None, description="package index that uv asks in the place of PyPI")
    uv_find_links: FindLinks = Field(default=(), description="places where uv looks for packages besides the index")
    uv_cache: OptionalFolder = Field(
        default=None,
        description="uv's cache; without it UV_CACHE_DIR, or a folder for each user below uv-cache in the state"
        " directory",
    )
    builds_at_once: Count = Field(default=2, description="environments that may be built at the same time")
    package_signatures: SignaturePolicy = Field(
        default="warn",
        description="what becomes of a package that no trusted key has signed: with require it is refused, and so is"
        " what is no package; with warn it is installed and told of; with off nobody asks",
    )
    package_keys: KeyFiles = Field(default=(), description="public keys of those whose packages are trusted")
    starts_at_once: Count = Field(default=4, description="workers of all plugins that may be starting at once")
    fork_server: Flag = Field(
        default=True,
        description="fork the workers of plugins without an environment of their own from a process that has imported"
        " what they need; without it each is started from the beginning, and none shares memory with another",
    )
    auto_endpoints: Flag = Field(
        default=True, description="serve a plugin that requires no settings at /e/<name>/ without further ado"
    )
    development: Flag = Field(default=False, description="show tracebacks of plugins to HTTP clients")
    ready_when: ReadyPolicyValue = Field(
        default="started",
        description="when /readyz says yes; started: the plugins that were there at the start run, or are known to be"
        " broken; settled: that holds of all plugins at this moment; running: none is broken either",
    )
    public_health: Flag = Field(
        default=False, description="answer /healthz and /readyz to the plugins' clients as well"
    )
    log_format: LogFormatValue = Field(
        default="auto", description="how the log is written; auto is console on a terminal, else JSON lines"
    )
    log_level: LogLevelValue = Field(default="info", description="least level that is logged")
    log_file: LogFile = Field(default=None, description="file to log to; without it the log goes to stderr")
    log_file_size: Size = Field(
        default=ByteSize(10 * _MIB), description="size from which on another file is begun for the log"
    )
    log_files_kept: Count = Field(default=5, description="older files of the log that stay, as FILE.1, FILE.2, …")
    log_requests: Flag = Field(default=False, description="log one line for each request that is over")
    trace_url: TraceUrl = Field(
        default=None,
        description="where traces are sent to by OTLP over HTTP, for which endpointd[otel] has to be installed; without"
        " it nothing is traced",
    )
    trace_parent: TraceParent = Field(
        default="continue",
        description="what becomes of a client's traceparent; continue: requests are a part of its trace; link: they"
        " begin a trace of their own, which has a link to it",
    )
    limit_body: Size = Field(
        default=ByteSize(100 * _MIB), description="largest request body; a larger one is answered with 413"
    )
    limit_header: Size = Field(
        default=ByteSize(64 * _KIB), description="largest request head, all headers together; else 431"
    )
    limit_uri: Size = Field(default=ByteSize(16 * _KIB), description="longest request target; else 414")
    limit_package: Size = Field(
        default=ByteSize(50 * _MIB), description="largest package, as a file and unpacked; a larger one is refused"
    )
    limit_storage: Size = Field(
        default=ByteSize(100 * _MIB),
        description="most bytes that one plugin may store, whatever its manifest asks for",
    )
    limit_connections: Connections = Field(default=10_000, description="client connections open at once")
    clock_header: Clock = Field(default=10, description="longest time a client may take to send a request's head")
    clock_keep_alive: Clock = Field(default=15, description="how long a connection without a request stays open")
    backend: Annotated[
        BackendTables,
        NoDecode,
        BeforeValidator(refuse_text),
        Form("TABLES", "tables such as [backend.NAME], in the configuration file only"),
    ] = Field(default_factory=dict, description="what answers session calls of plugins")
    calls: Annotated[
        Calls,
        NoDecode,
        BeforeValidator(refuse_text),
        Form("TABLE", "a table [calls], in the configuration file only"),
    ] = Field(default_factory=Calls, description="which backend answers which calls")
    plugin: Annotated[
        dict[str, PluginLimits],
        NoDecode,
        BeforeValidator(refuse_text),
        Form("TABLES", 'tables such as [plugin."author/name"], in the configuration file only'),
    ] = Field(default_factory=dict, description="limits of single plugins, which win over those of all")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the base class fixes the signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file: an earlier one wins."""
        return init_settings, env_settings, ConfigFileSource(settings_cls, toml_file=None)

    def for_plugin(self, plugin_id: str) -> PluginLimits:
        """The limits that hold for the plugin "author/name" (or "name"): its own table over those of all."""
        common = {name: getattr(self, name) for name in SharedLimits.model_fields}
        own = self.plugin.get(plugin_id, PluginLimits())
        return PluginLimits(**(common | own.model_dump(exclude_unset=True)))


def group_of(name: str) -> str:
    """The heading that a setting stands under in help and documentation."""
    limits = ("concurrency", "concurrency_async", "workers", "queue_size", "nice", "allow_from", "rate", "cors_origins")
    if name in limits:
        return "Limits"
    if name in ("builds_at_once", "environments", "offline"):
        return "Environments"
    headings = {"uv": "Environments", "python": "Environments", "package": "Packages"}
    headings |= {"start": "Restarts", "idle": "Restarts"}
    headings |= {"limit": "Limits", "clock": "Clocks", "restart": "Restarts", "recycle": "Restarts", "log": "Log"}
    headings["trace"] = "Tracing"
    return headings.get(name.partition("_")[0], "Service")


def single_settings() -> Iterator[tuple[str, FieldInfo]]:
    """Every setting that one flag or variable can hold, those of a heading together: (name, declaration)."""
    headings = ["Service", "Environments", "Packages", "Log", "Tracing", "Limits", "Clocks", "Restarts"]
    # The class's own fields come after the inherited ones, though they are what an operator looks for first.
    own_first = sorted(Settings.model_fields.items(), key=lambda item: item[0] in SharedLimits.model_fields)
    for name, field in sorted(own_first, key=lambda item: headings.index(group_of(item[0]))):
        if name not in TABLES:
            yield name, field
