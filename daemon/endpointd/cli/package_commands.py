"""The commands about packages. They need no daemon; `install`, which does, is in `control_commands`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from endpointd.packages.limits import PackageLimits

if TYPE_CHECKING:
    from endpointd.settings.settings import Settings

PANEL = "Packages"

PackageFile: TypeAlias = Annotated[Path, typer.Argument(metavar="FILE", help="The package, NAME.difypkg.")]
Output: TypeAlias = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it is written.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The daemon's configuration file.")
]


class Category(StrEnum):
    """The categories of plugins that Dify knows."""

    LANGGENIUS = "langgenius"
    PARTNER = "partner"
    COMMUNITY = "community"


def package(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The plugin's folder.")],
    output: Output = None,
    json: Json = False,
) -> None:
    """Make a package of a plugin's folder.

    Without --output it is NAME-VERSION.difypkg. The same files always make the same package.
    Files that .difyignore names (or .gitignore, if there is no .difyignore) are left out.
    """
    from endpointd.cli import packaging

    packaging.package(folder, output, PackageLimits(_settings().limit_package), json=json)


def keygen(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="Makes NAME.private.pem and NAME.public.pem.")],
) -> None:
    """Make a pair of keys to sign packages with.

    Keep NAME.private.pem secret; give NAME.public.pem to people who should trust your packages.
    """
    from endpointd.cli import packaging

    packaging.keygen(name)


def sign(
    file: PackageFile,
    key: Annotated[Path, typer.Option("--key", "-k", metavar="KEY", help="The private key, NAME.private.pem.")],
    category: Annotated[
        Category, typer.Option("--category", "-c", help="Who has made it, for Dify.")
    ] = Category.COMMUNITY,
    output: Output = None,
) -> None:
    """Sign a package.

    Without --output the signed package is NAME.signed.difypkg. An older signature is replaced.
    """
    from endpointd.cli import packaging

    packaging.sign(file, key, category, output, PackageLimits(_settings().limit_package))


def verify(
    file: PackageFile,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", "-k", metavar="KEY", help="A public key to trust (default: those of package_keys)."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what is in a package and who has signed it.

    The exit status is 0 if it is complete and signed with one of the keys, and 1 otherwise.
    """
    from endpointd.cli import packaging

    settings = _settings(config)
    keys = key or settings.package_keys
    raise typer.Exit(packaging.verify(file, keys, PackageLimits(settings.limit_package), json=json))


def _settings(config: Path | None = None) -> "Settings":
    from endpointd.cli.configuration import load

    return load({} if config is None else {"config": config}).settings


def add_to(application: typer.Typer) -> None:
    """Add the commands, in the order of `--help`."""
    for command in (package, keygen, sign, verify):
        application.command(rich_help_panel=PANEL)(command)
