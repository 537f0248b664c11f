"""Command-line options made from the settings declaration, so that a setting is never written twice."""

import inspect
from collections.abc import Callable
from typing import Annotated

import typer
from pydantic.fields import FieldInfo

from endpointd.cli.configuration import load
from endpointd.settings.headings import heading_of, single_settings
from endpointd.settings.names import flag_of
from endpointd.settings.types import form_of, written


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """The function to register with Typer for `command(configuration, …)`.

    It has one option for each setting in place of `configuration`, besides the command's other parameters. Only
    options that were given count as flags, so that the environment and the file keep their turn.
    """
    _, *others = inspect.signature(command).parameters.values()
    others = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in others]
    own = {parameter.name for parameter in others}

    def invoke(**options: object) -> None:
        flags = {name: value for name, value in options.items() if name not in own and value is not None}
        command(load(flags), **{name: options[name] for name in own})

    parameters = [*(_parameter(name, field) for name, field in single_settings()), *others]
    # Typer reads a command's options from its signature.
    invoke.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    invoke.__name__, invoke.__doc__ = command.__name__, command.__doc__
    return invoke


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    kind, declaration = _option(name, field)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, declaration]
    )


def _option(name: str, field: FieldInfo) -> tuple[object, object]:
    """The Python type and the Typer declaration of an option. Text is passed on unchanged; the settings check it."""
    flag = flag_of(name)
    switch = field.annotation is bool
    default = written(field.default)
    declaration = typer.Option(
        f"{flag}/--no-{flag.removeprefix('--')}" if switch else flag,
        metavar="" if switch else form_of(field).metavar,
        help=f"{field.description} (default: {default})" if default else field.description,
        rich_help_panel=heading_of(name),
    )
    return (bool | None if switch else str | None), declaration
