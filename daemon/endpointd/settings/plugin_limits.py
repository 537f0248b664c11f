"""The settings that can be set for all plugins at once, and for single plugins. Pure."""

from typing import Annotated

from pydantic import BaseModel, ByteSize, ConfigDict, Field

from endpointd.settings.backends import Calls
from endpointd.settings.network import CallerNetworks, CallerOrigins, CallerRate
from endpointd.settings.types import (
    Bound,
    Clock,
    Concurrency,
    Count,
    EnvironmentVariables,
    Flag,
    Form,
    Grace,
    Niceness,
    QueueSize,
    SizeBound,
    StartMode,
    Tasks,
    UserName,
    Workers,
)


class SharedLimits(BaseModel):
    """Settings that can be set for all plugins at once, and for single plugins. Clocks are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: Concurrency = Field(default=32, description="requests that one worker runs at once")
    concurrency_async: Tasks = Field(
        default=5000, description="requests that one worker runs at once when all interfaces of its plugin are async"
    )
    workers: Workers = Field(
        default=1,
        description="workers of one plugin that answer side by side; in development mode there is one",
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
        default=30, description="time that running requests have to finish when their worker has to stop"
    )
    clock_kill: Grace = Field(default=5, description="time from asking a worker to exit to killing it")
    output_rate: Bound = Field(
        default=200,
        description="lines of a plugin's output that are logged in a second; a burst may have ten times as many",
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
        default=10, description="time after which a worker counts as stable: its next failure is counted as the first"
    )
    restart_longest: Grace = Field(default=60, description="longest pause before a failed worker is started again")

    recycle_requests: Bound = Field(default=0, description="requests after which a worker is replaced")
    recycle_age: Clock = Field(default=0, description="time after which a worker is replaced")
    recycle_memory: SizeBound = Field(default=ByteSize(0), description="resident memory at which a worker is replaced")
    start: StartMode = Field(
        default="always",
        description="when a plugin's worker runs; on-demand: from the first request until it is idle",
    )
    idle_stop: Clock = Field(
        default=300, description="time without a request after which a worker that was started on demand is ended"
    )
    limit_files: Bound = Field(
        default=1024, description="files that a worker may have open; 0: as many as the daemon itself"
    )
    limit_memory: SizeBound = Field(
        default=ByteSize(0),
        description="memory that a worker may take; beyond it the plugin gets a MemoryError; in a control group the"
        " worker is ended instead",
    )
    limit_processes: Bound = Field(
        default=0,
        description="processes and threads of a worker; without a control group: of the worker's user in the whole"
        " system, and root has no bound",
    )
    allow_from: CallerNetworks = Field(
        default=(), description="addresses that may call endpoints without a rule of their own; by default all may"
    )
    rate: CallerRate = Field(
        default=None,
        description="requests from one address that an endpoint without a rule of its own answers; more get 429",
    )
    cors_origins: CallerOrigins = Field(
        default=(),
        description="origins whose web pages may call endpoints without a rule of their own (CORS)",
    )
    nice: Niceness = Field(default=0, description="niceness of workers; higher numbers give way to other processes")
    user: UserName = Field(default=None, description="user that workers run as, if the daemon runs as root")
    group: UserName = Field(default=None, description="group that workers run as, instead of the user's own")
    value_error_is_404: Flag = Field(
        default=False,
        description="answer a ValueError of a plugin with 404 and its text, as Dify does, instead of 500",
    )


class PluginLimits(SharedLimits):
    """The settings of one plugin: limits, additional environment variables of its workers, and its backends."""

    env: EnvironmentVariables = Field(
        default_factory=dict, repr=False, description="environment variables for the plugin's worker"
    )
    calls: Annotated[Calls, Form("TABLE", 'a table such as { llm = "NAME" }')] = Field(
        default_factory=Calls, description="backends for this plugin, which win over those of `[calls]`"
    )
