"""Declares all settings: names, types, defaults and descriptions. Those that can also be set for single plugins are in
`plugin_limits`.

Each setting can be given in the configuration file (`clock_queue`), in the environment (`ENDPOINTD_CLOCK_QUEUE`) and by
a flag (`--clock-queue`). A flag wins over the environment, the environment over the file, the file over the default.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ByteSize, Field
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from endpointd.settings.backends import BackendTables, Calls
from endpointd.settings.file import read_settings_file
from endpointd.settings.names import ENVIRONMENT_PREFIX
from endpointd.settings.network import (
    FileMode,
    ForwardingHeaders,
    Listens,
    Networks,
    OptionalListen,
    PublicUrl,
    TlsVersion,
    TraceUrl,
)
from endpointd.settings.plugin_limits import PluginLimits, SharedLimits
from endpointd.settings.types import (
    Clock,
    ConfigFile,
    Connections,
    Count,
    Database,
    EndpointsFile,
    FindLinks,
    Flag,
    Folder,
    Form,
    IndexUrl,
    Interpreters,
    KeyFilePath,
    KeyFiles,
    LogFile,
    LogFormatValue,
    LogLevelValue,
    OptionalFile,
    OptionalFolder,
    ReadyPolicyValue,
    SignaturePolicy,
    Size,
    TraceParent,
    UserName,
    WatchMode,
    refuse_text,
)

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
"""Settings whose paths are relative to the configuration file's folder if they are given there."""

_KIB = 1024
_MIB = 1024 * _KIB


class ConfigFileSource(TomlConfigSettingsSource):
    """Reads the configuration file that a flag or the environment names; these sources have been read before."""

    def __call__(self) -> dict[str, object]:
        """The values in the file; empty if none is named. Raises `UsageError` if the file cannot be used."""
        path = self.current_state.get("config")
        return read_settings_file(Path(path), _PATHS) if path else {}


class Settings(SharedLimits, BaseSettings):
    """The effective settings of a daemon, immutable. Clocks are in seconds, sizes in bytes.

    `Settings(**flags)` also reads the environment and the configuration file. Raises pydantic's ValidationError for an
    invalid value or unknown key, and `UsageError` if the file cannot be read.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENVIRONMENT_PREFIX, env_ignore_empty=True)

    config: ConfigFile = Field(default=None, description="configuration file to read")
    plugins: Folder = Field(default=Path("plugins"), description="directory whose folders are the plugins to serve")
    state: Folder = Field(default=Path("state"), description="directory for the daemon's data; made when missing")
    database: Database = Field(
        default=None, description="database of endpoints; by default endpointd.db in the state directory"
    )
    secret_key: KeyFilePath = Field(
        default=None,
        description="file with the keys that seal secrets; by default systemd's credential endpointd-key if there is"
        " one, else secret.key in the state directory, made when missing",
    )
    endpoints_file: EndpointsFile = Field(
        default=None, description="file that declares endpoints; applied at the start and whenever it changes"
    )
    admin_group: UserName = Field(
        default=None, description="group whose members may control the daemon, besides root and the daemon's user"
    )
    admin_listen: OptionalListen = Field(
        default=None,
        description="network address for the console and the administration's API, with tokens; by default the API is"
        " only on the socket in the state directory",
    )
    listen: Listens = Field(default=("127.0.0.1:8080",), description="addresses to accept HTTP connections on")
    listen_mode: FileMode = Field(default="0660", description="rights of the unix sockets in listen")
    listen_group: UserName = Field(default=None, description="group of the unix sockets in listen")
    tls_certificate: OptionalFile = Field(
        default=None,
        description="file with the certificate and its chain; with it all connections over TCP are HTTPS, and a renewal"
        " is noticed",
    )
    tls_key: OptionalFile = Field(
        default=None, description="file with the certificate's private key; by default the certificate's file"
    )
    tls_minimum: TlsVersion = Field(default="1.2", description="oldest version of TLS that clients may speak")
    public_url: PublicUrl = Field(
        default=None,
        description="base of the URLs at which clients reach the daemon, if a proxy stands before it",
    )
    trusted_proxies: Networks = Field(default=(), description="proxies whose forwarding headers are believed")
    forwarding_headers: ForwardingHeaders = Field(
        default="x-forwarded",
        description="headers in which trusted proxies name the client: X-Forwarded-For, -Proto and -Host, or Forwarded",
    )
    watch: WatchMode = Field(
        default="auto",
        description="how changes of the plugins directory are noticed; auto polls if the file system reports none",
    )
    releases_kept: Count = Field(default=3, description="older releases of each plugin that are kept for a rollback")
    environments: OptionalFolder = Field(
        default=None, description="directory for plugins' environments; by default environments in the state directory"
    )
    python_interpreters: Interpreters = Field(
        default=(),
        description="interpreters, or folders of installations, to try before those of PATH, uv and pyenv",
    )
    offline: Flag = Field(default=False, description="build environments without the network")
    uv_index_url: IndexUrl = Field(default=None, description="package index that uv uses instead of PyPI")
    uv_find_links: FindLinks = Field(default=(), description="places where uv looks for packages besides the index")
    uv_cache: OptionalFolder = Field(
        default=None,
        description="uv's cache; by default UV_CACHE_DIR, or a folder for each user below uv-cache in the state"
        " directory",
    )
    builds_at_once: Count = Field(default=2, description="environments that may be built at the same time")
    package_signatures: SignaturePolicy = Field(
        default="warn",
        description="packages that no trusted key has signed; require: they are refused, and so are folders; warn: they"
        " are installed with a warning; off: signatures are not checked",
    )
    package_keys: KeyFiles = Field(default=(), description="public keys of people whose packages are trusted")
    starts_at_once: Count = Field(default=4, description="workers of all plugins that may be starting at once")
    fork_server: Flag = Field(
        default=True,
        description="fork the workers of plugins without an environment of their own from one process, so that they"
        " start quickly and share memory; without it each is started as a new Python",
    )
    auto_endpoints: Flag = Field(
        default=True, description="serve each plugin that requires no settings at /e/<name>/ by itself"
    )
    development: Flag = Field(default=False, description="run the folders themselves, and show tracebacks to clients")
    ready_when: ReadyPolicyValue = Field(
        default="started",
        description="when /readyz answers 200; started: each plugin that was there at the start runs or is known to be"
        " broken; settled: so does each plugin that is there now; running: and none is broken",
    )
    public_health: Flag = Field(default=False, description="answer /healthz and /readyz at the listen addresses too")
    log_format: LogFormatValue = Field(
        default="auto", description="format of the log; auto: console on a terminal, else JSON lines"
    )
    log_level: LogLevelValue = Field(default="info", description="least important level that is logged")
    log_file: LogFile = Field(default=None, description="file to log to; by default the log goes to stderr")
    log_file_size: Size = Field(
        default=ByteSize(10 * _MIB), description="size at which the log's file is renamed and a new one is begun"
    )
    log_files_kept: Count = Field(default=5, description="older files of the log that are kept, as FILE.1, FILE.2, …")
    log_requests: Flag = Field(default=False, description="log a line for each request when it is over")
    trace_url: TraceUrl = Field(
        default=None,
        description="collector that gets traces, by OTLP over HTTP; needs endpointd[otel]; without it there are none",
    )
    trace_parent: TraceParent = Field(
        default="continue",
        description="what a client's traceparent means; continue: its requests are a part of its trace; link: each"
        " request begins a trace of its own, with a link to the client's",
    )
    limit_body: Size = Field(
        default=ByteSize(100 * _MIB), description="largest request body; a larger one is answered with 413"
    )
    limit_header: Size = Field(
        default=ByteSize(64 * _KIB), description="largest request head, all headers together; a larger one gets 431"
    )
    limit_uri: Size = Field(default=ByteSize(16 * _KIB), description="longest request target; a longer one gets 414")
    limit_package: Size = Field(
        default=ByteSize(50 * _MIB), description="largest package, as a file and unpacked; a larger one is refused"
    )
    limit_storage: Size = Field(
        default=ByteSize(100 * _MIB),
        description="most bytes that one plugin may store, whatever its manifest asks for",
    )
    limit_connections: Connections = Field(
        default=10_000,
        description="client connections open at once; never more than three quarters of the files that the system lets"
        " the daemon have open",
    )
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
    ] = Field(default_factory=dict, description="limits of single plugins, which win over those for all")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the base class fixes the signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources, the one with the highest precedence first: flags, environment, file."""
        return init_settings, env_settings, ConfigFileSource(settings_cls, toml_file=None)

    def for_plugin(self, plugin_id: str) -> PluginLimits:
        """The limits for the plugin "author/name" (or "name"): those in its own table, else those for all plugins."""
        common = {name: getattr(self, name) for name in SharedLimits.model_fields}
        own = self.plugin.get(plugin_id, PluginLimits())
        return PluginLimits(**(common | own.model_dump(exclude_unset=True)))
