"""The manual page, made from the commands' own help: `python -m endpointd.cli.manual FILE`.

It is written for `man` (groff's macros, man(7)).
"""

import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from endpointd.cli.commands import application
from endpointd.cli.late import Commands

MANY = 20
"""A command with at least this many options that another command has too only refers to that one."""

_FILES = (
    ("/etc/endpointd/endpointd.toml", "The configuration of the service. Every option of serve can stand in it."),
    ("/etc/endpointd/secret.key", "The service's key for secrets. Elsewhere it is STATE/secret.key."),
    ("/var/lib/endpointd", "The service's state directory: plugins, releases, environments, the database."),
    ("STATE/endpointd.sock", "The socket of a running daemon, for commands."),
)

_STATUS = (
    ("0", "Done."),
    ("1", "It failed; the message says why, and what to do."),
    ("2", "The command was used wrongly: an option, a name or a file."),
    ("3", "status NAME: the plugin does not run."),
)


def manual() -> str:
    """The whole manual page."""
    group = typer.main.get_command(application)
    assert isinstance(group, Commands)
    return "\n".join([*_head(group), *_commands(group), *_tail()]) + "\n"


def _head(group: TyperGroup) -> Iterator[str]:
    yield '.TH ENDPOINTD 1 "" endpointd "User Commands"'
    yield from (".SH NAME", "endpointd \\- run endpoint plugins, each in a process of its own")
    yield from (".SH SYNOPSIS", "\\fBendpointd\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...")
    yield from (".SH DESCRIPTION", _plain(group.help or ""))
    yield "Commands find a running daemon by its state directory. They use the first of these: \\-\\-state,"
    yield "ENDPOINTD_STATE, the state in the file of \\-\\-config or ENDPOINTD_CONFIG, ./state, and the service's."
    yield from (
        ".PP",
        "Every command takes \\fB\\-\\-quiet\\fR (\\fB\\-q\\fR): it then prints only answers, warnings and errors.",
    )


def _commands(group: TyperGroup) -> Iterator[str]:
    yield ".SH COMMANDS"
    shown: dict[frozenset[str], str] = {}
    for name, command in _leaves(group, ""):
        yield f".SS endpointd {_plain(name)}{_arguments(command)}"
        yield from _paragraphs(command.help or "")
        options = [one for one in command.params if isinstance(one, TyperOption) and not one.hidden]
        options = [one for one in options if "--quiet" not in one.opts]
        same = next((names for names in shown if names <= {one.opts[0] for one in options}), None)
        if same is not None:
            yield f"Besides those that follow, it has the options of \\fB{_plain(shown[same])}\\fR."
            options = [one for one in options if one.opts[0] not in same]
        elif len(options) > MANY:
            shown[frozenset(one.opts[0] for one in options)] = name
        for argument in command.params:
            if isinstance(argument, TyperArgument) and argument.help:
                yield from _tagged(_value(argument), argument.help)
        for option in options:
            yield from _tagged(_spelled(option), option.help or "")


def _leaves(group: TyperGroup, before: str) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in (group.all() if isinstance(group, Commands) else group.commands).items():
        if command.hidden:
            continue
        if isinstance(command, TyperGroup):
            yield from _leaves(command, f"{before}{name} ")
        elif isinstance(command, TyperCommand):
            yield before + name, command


def _arguments(command: TyperCommand) -> str:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    return "".join(f" {_value(one)}" if one.required else f" [{_value(one)}]" for one in arguments)


def _spelled(option: TyperOption) -> str:
    names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {_value(option)}"


def _value(one: TyperArgument | TyperOption) -> str:
    word = one.metavar or "VALUE"
    return f"\\fI{_plain(word)}\\fR"


def _tail() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for status, meaning in _STATUS:
        yield from _tagged(f"\\fB{status}\\fR", meaning)
    yield from (".SH ENVIRONMENT", "Every option of serve and config can be set in a variable: ENDPOINTD_ and the")
    yield "option's name in capital letters, with _ for -. All commands heed ENDPOINTD_STATE."
    yield ".SH FILES"
    for path, meaning in _FILES:
        yield from _tagged(f"\\fI{_plain(path)}\\fR", meaning)
    yield from (".SH SEE ALSO", "systemctl(1), journalctl(1)")


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        yield _plain(" ".join(paragraph.split()))


def _tagged(tag: str, text: str) -> Iterable[str]:
    return (".TP", tag, _plain(" ".join(text.split())))


def _plain(text: str) -> str:
    """Escape text for groff, so that nothing in it is a request or a special character."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    ascii_only = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in escaped)
    return "\\&" + ascii_only if ascii_only.startswith(".") else ascii_only


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(manual(), encoding="utf-8")
