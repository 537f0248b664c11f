"""Imports the plugin's sources and finds the class in each that answers requests.

Each source is imported once, as the same module that `import endpoints.duck` elsewhere in the plugin would find. Every
source is tried even if others fail, so that the author sees all problems at once.
"""

import ast
import importlib
import inspect
import sys
import traceback
from collections.abc import Sequence
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from endpointd_worker.signatures import takes
from endpointd_worker.texts import fit
from endpointd_worker.tracebacks import cut

SDK = Path(__file__).parent / "sdk"

MAX_MESSAGE = 2000
"""The most characters of a problem's message and of its remedy: all problems of a plugin must fit into one frame."""


class SourceProblem(Exception):
    """Why a source has no usable class: what is wrong, where (`file` is relative to the plugin), and what to do."""

    def __init__(self, code: str, message: str, remedy: str, file: str, line: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = fit(message, MAX_MESSAGE)
        self.remedy = fit(remedy, MAX_MESSAGE)
        self.file = file
        self.line = line

    def as_dict(self, key: str) -> dict[str, Any]:
        """The problem as `LoadFailed` carries it. `key` is the manifest key that names the source."""
        return {
            "code": self.code,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "key": key,
            "remedy": self.remedy,
        }


def prepare_path(folder: Path) -> None:
    """Put the plugin's folder first on `sys.path`, as if it were run from there, and the built-in `dify_plugin` last,
    so that an installed one has precedence."""
    sys.path.insert(0, str(folder))
    sys.path.append(str(SDK))


def load_classes(
    folder: Path, sources: Sequence[tuple[str, str]], *, may_be_async: bool = True
) -> tuple[list[type], list[dict[str, Any]]]:
    """Import all `sources`, which are pairs of a path below `folder` and a manifest key. Returns the classes in the
    same order, and the problems as `LoadFailed` carries them; the classes are complete only if there are none."""
    classes: list[type] = []
    problems: list[dict[str, Any]] = []
    try:
        base = importlib.import_module("dify_plugin").Endpoint
    # Dify's SDK has many requirements, whose versions may be incompatible.
    except BaseException as error:  # noqa: BLE001 - whatever they raise
        traceback.print_exception(cut(error))
        return [], [_explain_sdk(error, source).as_dict(key) for source, key in sources[:1]]
    for source, key in sources:
        try:
            module = _import_source(folder, source)
            cls = _find_class(module, base, source)
            check_invoke(cls, source, may_be_async)
            _check_signatures(cls, source)
            classes.append(cls)
        except SourceProblem as problem:
            problems.append(problem.as_dict(key))
    return classes, problems


# Importing


def _import_source(folder: Path, source: str) -> ModuleType:
    try:
        _check_syntax(folder, source)
        return _import_module(folder, source)
    except SourceProblem:
        raise
    # A plugin may raise anything, including SystemExit, and the other sources must still be tried.
    except BaseException as error:
        traceback.print_exception(cut(error))
        raise _explain_import(folder, source, error) from error


def _check_syntax(folder: Path, source: str) -> None:
    """Raise `SourceProblem` if the file is not valid Python. Checked before the import, so that a fault in this file is
    not confused with one in a file that it imports."""
    try:
        ast.parse((folder / source).read_bytes(), filename=source)
    except (SyntaxError, ValueError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise SourceProblem("syntax_error", f"not valid Python: {reason}", "correct the line", source, line) from None
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise SourceProblem("source_unreadable", message, "check the file and its permissions", source) from None


def _import_module(folder: Path, source: str) -> ModuleType:
    path = folder / source
    name = ".".join(Path(source).with_suffix("").parts)
    if _finds(name, path):
        return importlib.import_module(name)
    # The name leads to another module (of the standard library, perhaps), or is not a valid module name.
    name = f"endpointd_source_{name.replace('.', '_')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _finds(name: str, path: Path) -> bool:
    """Whether importing `name` would load the file `path`. Imports the parent packages, which may raise anything."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(f"{error.name}."):
            # Another module has the name of a parent package, and has no such submodule.
            return False
        raise
    except ValueError:
        # `sys.modules` has a module of that name without a spec: it was created by hand.
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path.resolve()


def _explain_import(folder: Path, source: str, error: BaseException) -> SourceProblem:
    file, line = _innermost(folder, error) or (source, None)
    if isinstance(error, SyntaxError) and error.filename is not None:
        inside = _relative(folder, error.filename)
        return SourceProblem(
            "syntax_error", f"not valid Python: {error.msg}", "correct the line", inside or error.filename, error.lineno
        )
    if isinstance(error, ModuleNotFoundError):
        remedy = _remedy_for_missing(folder, error)
    elif isinstance(error, SystemExit):
        remedy = "a source must not end the process when it is imported"
    else:
        remedy = "see the traceback in the plugin's output"
    return SourceProblem("import_failed", f"importing {source} raised {_describe(error)}", remedy, file, line)


def _explain_sdk(error: BaseException, source: str) -> SourceProblem:
    remedy = "see the traceback in the plugin's output, and pin in its requirements what does not go together"
    return SourceProblem("import_failed", f"importing dify_plugin raised {_describe(error)}", remedy, source)


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the `__str__` of the plugin's exception has failed
        return type(error).__name__


def _remedy_for_missing(folder: Path, error: ModuleNotFoundError) -> str:
    package, _, inside = (error.name or "").partition(".")
    if inside and (folder / package).is_dir():
        path = f"{package}/{inside.replace('.', '/')}"
        return f"there is no {path}.py, nor a folder {path}: write it, or correct the import"
    if error.name is not None and error.name.startswith("dify_plugin."):
        return "import what the built-in dify_plugin offers, or name dify_plugin in requirements.txt to have Dify's own"
    return f"add the package that has {error.name!r} to requirements.txt or pyproject.toml, or correct the import"


def _innermost(folder: Path, error: BaseException) -> tuple[str, int | None] | None:
    """The file and line of the innermost frame that is in the plugin's folder; None if there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        inside = _relative(folder, frame.filename)
        if inside is not None:
            return inside, frame.lineno
    return None


def _relative(folder: Path, filename: str) -> str | None:
    if not Path(filename).is_absolute():
        # Not a file: "<string>", "<frozen importlib._bootstrap>".
        return None
    try:
        return Path(filename).resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None


# Finding the class


def _find_class(module: ModuleType, base: type, source: str) -> type:
    """The one concrete subclass of `base` that the module defines; if it defines none, the one that it imports. Raises
    `SourceProblem` if there are none or several."""
    named = {id(value): value for value in vars(module).values() if _is_subclass(value, base)}
    subclasses = list(named.values())
    own = [cls for cls in subclasses if cls.__module__ == module.__name__]
    imported = [cls for cls in subclasses if cls.__module__ != module.__name__]
    for candidates in (own, imported):
        concrete = [cls for cls in candidates if not inspect.isabstract(cls)]
        if len(concrete) > 1:
            raise _several(module, source, concrete)
        if concrete:
            found: type = concrete[0]
            return found
    raise _none(source, own)


def _is_subclass(value: object, base: type) -> bool:
    """Whether `value` is a subclass of `base` that is not part of the SDK itself."""
    return isinstance(value, type) and issubclass(value, base) and value.__module__.partition(".")[0] != "dify_plugin"


def is_async(cls: Any) -> bool:  # noqa: ANN401 - a class of the plugin's
    """Whether its `_invoke` is an async function, so that its requests run as tasks of the event loop."""
    return inspect.iscoroutinefunction(cls._invoke)


def check_invoke(cls: Any, source: str, may_be_async: bool) -> None:  # noqa: ANN401
    """Raise `SourceProblem` if its `_invoke` is an async generator, or async where that is not supported."""
    method = cls._invoke
    if inspect.isasyncgenfunction(method):
        message = f"{cls.__name__}._invoke is an async generator"
        remedy = "write the generator as a function of its own, and return Response(generator()) from _invoke"
    elif is_async(cls) and not may_be_async:
        message = f"{cls.__name__}._invoke is an async function, and Dify's SDK (with gevent) has no loop to run it"
        remedy = "write 'def _invoke', or leave dify_plugin out of the requirements"
    else:
        return
    raise SourceProblem("invoke_async", message, remedy, source, _line(method))


def _check_signatures(cls: Any, source: str) -> None:  # noqa: ANN401
    """Raise `SourceProblem` if the class cannot be constructed with a session, or its `_invoke` cannot be called with
    the arguments of a request."""
    name = cls.__name__
    # A class with its own `invoke`, metaclass or `__new__` may call the other methods in any way.
    calls_as_usual = getattr(getattr(cls, "invoke", None), "__module__", "").partition(".")[0] == "dify_plugin"
    if calls_as_usual and not takes(cls, "_invoke", 3):
        message = f"{name}._invoke cannot be called with (r, values, settings)"
        remedy = f"write '{'async ' if is_async(cls) else ''}def _invoke(self, r, values, settings)'"
        raise SourceProblem("invoke_signature", message, remedy, source, _line(cls._invoke))
    makes_as_usual = type(cls).__call__ is type.__call__ and cls.__new__ is object.__new__
    if makes_as_usual and not takes(cls, "__init__", 1):
        message = f"{name}.__init__ cannot be called with (session)"
        remedy = "leave it out, or write 'def __init__(self, session)' and 'super().__init__(session)' in it"
        raise SourceProblem("invoke_signature", message, remedy, source, _line(cls.__init__))


def _several(module: ModuleType, source: str, classes: list[type]) -> SourceProblem:
    names = ", ".join(sorted(cls.__name__ for cls in classes))
    where = "defines" if classes[0].__module__ == module.__name__ else "defines none and imports"
    return SourceProblem(
        "class_several",
        f"{source} {where} {len(classes)} Endpoint classes: {names}",
        "leave one in this file, or make those that only serve as a base abstract (without _invoke)",
        source,
        min(filter(None, map(_line, classes)), default=None),
    )


def _none(source: str, abstract: list[type]) -> SourceProblem:
    if abstract:
        cls = abstract[0]
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        message = f"class {cls.__name__} does not define {missing}"
        return SourceProblem("invoke_missing", message, f"add 'def {missing}' to it", source, _line(cls))
    return SourceProblem(
        "class_missing",
        f"{source} has no class that inherits from dify_plugin.Endpoint",
        "define one: class Name(Endpoint): def _invoke(self, r, values, settings): ...",
        source,
    )


def _line(thing: Any) -> int | None:  # noqa: ANN401 - a class or a function
    try:
        return inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        return None
