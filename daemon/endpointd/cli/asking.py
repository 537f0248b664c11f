"""Prompts on a terminal for values that a command needs. Secrets are not shown while they are typed."""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from rich.text import Text

from endpointd.cli.output import stderr
from endpointd.cli.typed_values import typed_value
from endpointd.endpoints.views import SettingView
from endpointd.manifest.findings import one_line
from endpointd.manifest.values import Fault

_ENGLISH = "en_US"


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_name() -> str:
    answer: str = typer.prompt("Name", err=True)
    return answer


def ask_settings(settings: Sequence[SettingView]) -> dict[str, Any]:
    """Prompt for a value for each setting."""
    return {setting.name: _ask(setting) for setting in settings}


def show_faults(faults: Sequence[Fault]) -> None:
    for fault in faults:
        stderr().print(Text(one_line(f"{fault.key}: {fault.message}; {fault.remedy}"), style="red"), soft_wrap=True)


def confirm(question: str) -> None:
    """Ask a yes-or-no question; abort the command if the answer is no."""
    typer.confirm(question, abort=True, err=True)


def _ask(setting: SettingView) -> object:
    label = one_line(setting.label.get(_ENGLISH) or setting.name)
    for text in (setting.help.get(_ENGLISH), setting.url):
        if text:
            stderr().print(Text(one_line(text), style="dim"), soft_wrap=True)
    if setting.options:
        options = ", ".join(f"{one.value} ({one.label[_ENGLISH]})" for one in setting.options)
        stderr().print(Text(one_line(f"one of {options}"), style="dim"), soft_wrap=True)
    is_secret = setting.type == "secret-input"
    while True:
        text = typer.prompt(f"{label} (not shown)" if is_secret else label, hide_input=is_secret, err=True)
        try:
            return typed_value(setting, text)
        except ValueError as error:
            stderr().print(Text(str(error), style="red"), soft_wrap=True)
