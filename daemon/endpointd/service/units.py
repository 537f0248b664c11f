"""The texts of the files of the systemd service. Pure.

docs/service.md explains the lines of the units, and why some others are missing.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Template

from endpointd.sockets.addresses import UNIX, is_for_ipv6_alone

NAME = "endpointd"
ACCOUNT = "endpointd"
"""The user and the group that the service runs as. Members of the group may control the daemon and add plugins."""

CONFIG_DIRECTORY = "/etc/endpointd"
CONFIG = f"{CONFIG_DIRECTORY}/endpointd.toml"
KEY = f"{CONFIG_DIRECTORY}/secret.key"
STATE = "/var/lib/endpointd"
PLUGINS = f"{STATE}/plugins"
RUNTIME = "/run/endpointd"
SERVICE = f"{NAME}.service"
SOCKET = f"{NAME}.socket"
UNIT_DIRECTORY = "/etc/systemd/system"

STOP_MARGIN = 25
"""Seconds for which systemd waits at the service's end, in addition to the timeouts of requests and workers. The daemon
itself asks for more time if its configuration has longer timeouts."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values that differ between installations. `command` starts `endpointd`: an absolute path, with arguments if
    necessary. `listen` are the addresses for clients; `stop_seconds` is the timeout of the service's end."""

    command: tuple[str, ...]
    listen: tuple[str, ...]
    stop_seconds: int
    encrypted: bool = False
    """Whether TLS is used on TCP addresses. The files do not depend on it."""


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """A file of the service: its path, its text, and the command to run after it was changed."""

    path: str
    text: str
    then: tuple[str, ...]


_SERVICE = Template("""\
# Written by 'endpointd service install'. Changes of your own: systemctl edit $name.service
[Unit]
Description=endpointd, which runs endpoint plugins
Wants=network-online.target
After=network-online.target $name.socket
Requires=$name.socket
# A daemon that ends at once is started again for ever, but not one that a socket's clients wake again and again.
StartLimitIntervalSec=30
StartLimitBurst=30

[Service]
Type=notify
NotifyAccess=main
ExecStart=$command serve --config $config
# Unlike a signal, the command waits, and fails when the configuration cannot be used.
ExecReload=$command reload --config $config
User=$account
Group=$account
UMask=0077
WorkingDirectory=$state
StateDirectory=$name
StateDirectoryMode=0711
LoadCredential=endpointd-key:$key
# A daemon that systemd aborts because it hangs leaves in the journal where it hung.
Environment=PYTHONFAULTHANDLER=1
LimitCORE=0

# The end
Restart=on-failure
RestartSec=1
# What the configuration says cannot be used, now or in a second.
RestartPreventExitStatus=2
# The daemon ends its workers in their own time. What is left when it has ended is killed.
KillMode=mixed
TimeoutStopSec=$stop_seconds
WatchdogSec=30
TimeoutAbortSec=10

# Workers
Delegate=cpu memory pids
OOMPolicy=continue
TasksMax=8192
LimitNOFILE=65536

# The sandbox
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RemoveIPC=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
Also=$name.socket
""")

_SOCKET = Template("""\
# Written by 'endpointd service install'. Changes of your own: systemctl edit $name.socket
[Unit]
Description=The addresses on which endpointd takes HTTP connections

[Socket]
$streams
# For a proxy on this machine, instead or besides:
# ListenStream=$runtime/http.sock
FileDescriptorName=http
# The machine opens its sockets before it has its addresses.
FreeBind=yes
# How many may wait while the daemon is started anew, as far as net.core.somaxconn lets them.
Backlog=4096

[Install]
WantedBy=sockets.target
""")

_SYSUSERS = Template("""\
# Written by 'endpointd service install'.
u $account - "endpointd" $state
""")

_TMPFILES = Template("""\
# Written by 'endpointd service install'.
d $config_directory 0750 root $account
d $state 0711 $account $account
d $plugins 0770 $account $account
d $runtime 0755 $account $account
""")

_CONFIG = Template("""\
# The configuration of endpointd. All settings: 'endpointd serve --help', or docs/configuration.md.
# After a change: systemctl reload endpointd. Of settings that need a new start, reload says so.

state = "$state"
plugins = "$plugins"

# The addresses are in endpointd.socket. To change them, change them here and run 'endpointd service install' again.
listen = $listen

# Who is in this group may control the daemon with the command endpointd, and so run code as its user.
admin_group = "$account"

# The base of the URLs that clients use, and who may say who they are, when a proxy stands before the daemon.
# public_url = "https://hooks.example.com"
# trusted_proxies = ["127.0.0.1"]

# A file that declares endpoints, applied at the start and whenever it changes.
# endpoints_file = "endpoints.yaml"

# Bounds for all plugins, and for one.
# concurrency = 32
# limit_memory = "512MiB"
#
# [plugin."author/name"]
# clock_first_byte = 300
""")


def service_files(values: Values) -> list[ServiceFile]:
    """The service's files, in the order in which they must be installed. The result depends only on `values`."""
    reload = ("systemctl", "daemon-reload")
    sysusers, tmpfiles = f"/etc/sysusers.d/{NAME}.conf", f"/etc/tmpfiles.d/{NAME}.conf"
    return [
        ServiceFile(sysusers, _fill(_SYSUSERS, values), ("systemd-sysusers", sysusers)),
        ServiceFile(tmpfiles, _fill(_TMPFILES, values), ("systemd-tmpfiles", "--create", tmpfiles)),
        ServiceFile(f"{UNIT_DIRECTORY}/{SOCKET}", _fill(_SOCKET, values), reload),
        ServiceFile(f"{UNIT_DIRECTORY}/{SERVICE}", _fill(_SERVICE, values), reload),
    ]


def first_config(values: Values) -> str:
    """The text of the configuration file of a new installation."""
    return _fill(_CONFIG, values)


def _fill(template: Template, values: Values) -> str:
    return template.substitute(
        name=NAME,
        account=ACCOUNT,
        command=_quoted(values.command),
        listen=json.dumps(values.listen if len(values.listen) > 1 else values.listen[0]),
        streams="\n".join(_streams(values.listen)),
        stop_seconds=values.stop_seconds,
        config=CONFIG,
        config_directory=CONFIG_DIRECTORY,
        key=KEY,
        state=STATE,
        plugins=PLUGINS,
        runtime=RUNTIME,
    )


def _streams(addresses: Sequence[str]) -> list[str]:
    streams = [f"ListenStream={address.removeprefix(UNIX)}" for address in addresses]
    if any(is_for_ipv6_alone(address, addresses) for address in addresses):
        # This applies to all sockets of the unit.
        streams.append("BindIPv6Only=ipv6-only")
    return streams


def _quoted(words: Iterable[str]) -> str:
    """The words as a command line of systemd, in which % begins a specifier, $ a variable, and blanks end a word."""
    return " ".join(f'"{word}"' if any(c in word for c in " \t'") else word for word in map(_escaped, words))


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
