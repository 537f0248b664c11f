"""The errors of packages. Pure."""

from endpointd.errors import OperatorError

_AGAIN = "get it anew, or make it anew with 'endpointd package'"


class PackageError(OperatorError):
    """The package cannot be used. Nothing of it was kept."""


def broken(why: str) -> PackageError:
    return PackageError("package_invalid", f"the package cannot be read: {why}", _AGAIN)


def unsafe(name: str, why: str) -> PackageError:
    return PackageError("package_unsafe", f"{name!r} in the package {why}", "do not trust it; " + _AGAIN)


def too_large(what: str) -> PackageError:
    remedy = "leave out what the plugin does not need (.difyignore), or raise limit_package"
    return PackageError("package_too_large", f"the package has {what}", remedy)
