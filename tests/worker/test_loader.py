"""A folder as classes: which class is found, which problems are told, and as what module a source is imported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpointd_wire.messages import LoadFailed, Ready
from endpointd_worker.loader import SourceProblem, check_invoke
from support.worker_process import KEY, StartProcess

Load = Callable[..., Ready | LoadFailed]

IMPORTS = "from werkzeug import Response\nfrom dify_plugin import Endpoint, Enterpoint\n"
INVOKE = "    def _invoke(self, r, values, settings):\n        return Response(type(self).__name__)\n"
DUCK = f"{IMPORTS}\nclass Duck(Endpoint):\n{INVOKE}"


@pytest.fixture
def load(start_process: StartProcess, tmp_path: Path) -> Load:
    """Loads a plugin of the given files; the sources are those named, or else the first file."""

    def load(files: dict[str, str | bytes], *sources: str) -> Ready | LoadFailed:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return start_process().load(tmp_path, *(sources or [next(iter(files))]))

    return load


def classes(answer: Ready | LoadFailed) -> list[str]:
    assert isinstance(answer, Ready), answer
    return [*answer.classes]


def problems(answer: Ready | LoadFailed) -> list[dict[str, Any]]:
    assert isinstance(answer, LoadFailed), answer
    assert all(problem["key"] == KEY for problem in answer.problems)
    assert all(problem["remedy"] for problem in answer.problems)
    return [*answer.problems]


def problem(answer: Ready | LoadFailed) -> tuple[str, str, int | None]:
    """The code, the file and the line of the only problem."""
    (found,) = problems(answer)
    return found["code"], found["file"], found["line"]


# Finding the class


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (DUCK, "Duck"),
        (DUCK.replace("(Endpoint)", "(Enterpoint)"), "Duck"),
        (DUCK.replace("from dify_plugin import Endpoint, Enterpoint", "import dify_plugin as dify").replace(
            "(Endpoint)", "(dify.Enterpoint)"), "Duck"),
        (f"{DUCK}\nAlias = Duck\nOther = Endpoint\n", "Duck"),
        (f"{IMPORTS}\nclass Base(Endpoint):\n    pass\n\nclass Duck(Base):\n{INVOKE}", "Duck"),
        (f"{IMPORTS}\nclass Helper:\n    pass\n\nclass Duck(Endpoint, Helper):\n{INVOKE}", "Duck"),
        (f"{IMPORTS}\nclass Mixin:\n{INVOKE}\nclass Duck(Mixin, Endpoint):\n    pass\n", "Duck"),
        (f"{IMPORTS}\ndef make():\n    class Inner(Endpoint):\n    {INVOKE.replace(chr(10), chr(10) + '    ')}\n"
         "    return Inner\nDuck = make()\n", "make.<locals>.Inner"),
    ],
)  # fmt: skip
def test_the_one_class_of_the_file_is_found(load: Load, source: str, name: str) -> None:
    assert classes(load({"endpoints/duck.py": source})) == [f"endpoints.duck.{name}"]


def test_an_imported_base_does_not_count(load: Load) -> None:
    source = f"from base import Base\nfrom werkzeug import Response\n\nclass Duck(Base):\n{INVOKE}"
    base = f"{IMPORTS}\nclass Base(Endpoint):\n{INVOKE}"
    assert classes(load({"duck.py": source, "base.py": base})) == ["duck.Duck"]


def test_an_imported_class_serves_where_none_is_defined(load: Load) -> None:
    assert classes(load({"duck.py": "from birds import Duck\n", "birds.py": DUCK})) == ["birds.Duck"]


def test_two_names_of_one_imported_class_are_one_class(load: Load) -> None:
    assert classes(load({"duck.py": "from birds import Duck\nOther = Duck\n", "birds.py": DUCK})) == ["birds.Duck"]


def test_several_classes_are_named(load: Load) -> None:
    answer = load({"duck.py": f"{DUCK}\nclass Drake(Duck):\n    pass\n"})
    assert problem(answer) == ("class_several", "duck.py", 4)
    assert "duck.py defines 2 Endpoint classes: Drake, Duck" in problems(answer)[0]["message"]


def test_several_imported_classes_are_named(load: Load) -> None:
    both = f"{DUCK}\nclass Drake(Endpoint):\n{INVOKE}"
    answer = load({"duck.py": "from birds import *\n", "birds.py": both})
    assert problem(answer)[:2] == ("class_several", "duck.py")
    assert "defines none and imports 2 Endpoint classes: Drake, Duck" in problems(answer)[0]["message"]


@pytest.mark.parametrize("source", ["", "from dify_plugin import Endpoint, Enterpoint\n", "class Duck:\n    pass\n"])
def test_no_class_is_a_problem(load: Load, source: str) -> None:
    assert problem(load({"duck.py": source})) == ("class_missing", "duck.py", None)


def test_a_missing_method_is_named_with_its_class(load: Load) -> None:
    answer = load({"duck.py": f"{IMPORTS}\nclass Duck(Endpoint):\n    def invoke_(self): ...\n"})
    assert problem(answer) == ("invoke_missing", "duck.py", 4)
    assert problems(answer)[0]["message"] == "class Duck does not define _invoke"


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        (["def _invoke(self, r): ..."], 5, "Duck._invoke cannot be called with (r, values, settings)"),
        (["def _invoke(r, values, settings): ..."], 5, "Duck._invoke"),
        (["def _invoke(self, r, values, settings, more): ..."], 5, "Duck._invoke"),
        (["def _invoke(self, r, values, settings, *, more): ..."], 5, "Duck._invoke"),
        (["async def _invoke(self, r, *, values, settings): ..."], 5, "Duck._invoke"),
        (["@staticmethod", "def _invoke(self, r, values, settings): ..."], 5, "Duck._invoke"),
        (["@classmethod", "def _invoke(cls, r, values): ..."], 5, "Duck._invoke"),
        (["def __init__(self): ...", INVOKE.strip()], 5, "Duck.__init__ cannot be called with (session)"),
    ],
)
def test_a_class_that_no_request_can_call_is_a_problem(load: Load, lines: list[str], line: int, said: str) -> None:
    answer = load({"duck.py": f"{IMPORTS}\nclass Duck(Endpoint):\n" + "".join(f"    {one}\n" for one in lines)})
    assert problem(answer) == ("invoke_signature", "duck.py", line)
    assert problems(answer)[0]["message"].startswith(said)


def decorated(inner: str, outer: str) -> str:
    """A class whose `_invoke` takes `outer`, and hides that it calls one that takes `inner`."""
    return (
        f"{IMPORTS}import functools\n\ndef hide(function):\n    @functools.wraps(function)\n"
        f"    def call({outer}): ...\n    return call\n\n"
        f"class Duck(Endpoint):\n    @hide\n    def _invoke({inner}): ...\n"
    )


@pytest.mark.parametrize(
    "source",
    [
        DUCK.replace("r, values, settings", "*arguments"),
        DUCK.replace("r, values, settings", "a, b, c, d=None, /, *, e=None, **f"),
        DUCK.replace("    def", "    @staticmethod\n    def").replace("self, ", ""),
        DUCK.replace("    def", "    @classmethod\n    def"),
        DUCK.replace("self, r, values", "self, r: Nowhere, values").replace(
            "from", "from __future__ import annotations\nfrom", 1
        ),
        decorated("self, r, values, settings, database", "self, r, values, settings"),
        decorated("self, r, values, settings, database", "*arguments, **more"),
        f"{IMPORTS}import functools\n\nclass Duck(Endpoint):\n    _invoke = functools.partial(print, 1)\n",
        f"{DUCK}    def invoke(self, r, values, settings): ...\n".replace("r, values, settings):\n", "r):\n"),
        f"{DUCK}    def __new__(cls, session):\n        return object.__new__(cls)\n    def __init__(self, *_): ...\n",
        f"{DUCK}    def __init__(self, session, more=None): ...\n",
    ],
)
def test_what_a_request_can_call_or_nobody_can_judge_is_no_problem(load: Load, source: str) -> None:
    assert classes(load({"duck.py": source})) == ["duck.Duck"]


ASYNC = f"{IMPORTS}\nclass Duck(Endpoint):\n    async def _invoke(self, r, values, settings):\n        "


def test_an_async_generator_is_a_problem(load: Load) -> None:
    answer = load({"duck.py": f"{ASYNC}yield b''\n"})
    assert problem(answer) == ("invoke_async", "duck.py", 5)
    assert problems(answer)[0]["message"] == "Duck._invoke is an async generator"


def test_an_async_method_is_a_problem_where_there_is_no_loop() -> None:
    class Duck:
        async def _invoke(self) -> None: ...

    check_invoke(Duck, "duck.py", may_be_async=True)
    with pytest.raises(SourceProblem, match="no loop to run it") as raised:
        check_invoke(Duck, "duck.py", may_be_async=False)
    assert raised.value.code == "invoke_async"


@pytest.mark.parametrize(
    ("files", "asynchronous"),
    [
        ({"duck.py": f"{ASYNC}return Response()\n"}, True),
        ({"duck.py": f"{ASYNC}return Response()\n", "goose.py": f"{ASYNC}return Response()\n"}, True),
        ({"duck.py": f"{ASYNC}return Response()\n", "goose.py": DUCK}, False),
        ({"goose.py": DUCK}, False),
    ],
    ids=["one async", "two async", "mixed", "none"],
)
def test_the_host_is_told_whether_all_requests_are_tasks(load: Load, files: dict[str, str], asynchronous: bool) -> None:
    answer = load(files, *files)
    assert isinstance(answer, Ready)
    assert answer.asynchronous == asynchronous


# Problems of the code


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("class Duck(:\n", 1, "invalid syntax"),
        ("x = 1\n\nif x:\nprint(x)\n", 4, "expected an indented block"),
        ("x = 1\n" + "(" * 300 + "\n", None, "too many nested parentheses"),
        (b"x = 1\ny = '\xff'\n", 2, "utf-8"),
        (b"x = '\x00'\n", None, "null bytes"),
    ],
)
def test_a_syntax_error_has_its_line(load: Load, source: str | bytes, line: int | None, reason: str) -> None:
    answer = load({"endpoints/duck.py": source})
    code, file, found = problem(answer)
    assert (code, file) == ("syntax_error", "endpoints/duck.py")
    assert line is None or found == line
    assert problems(answer)[0]["message"].startswith("not valid Python: ")
    assert reason in problems(answer)[0]["message"]


def test_a_syntax_error_in_another_file_has_its_file(load: Load) -> None:
    answer = load({"duck.py": "import helper\n", "helper.py": "x = 1\nx = = 2\n"})
    assert problem(answer) == ("syntax_error", "helper.py", 2)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("from json import nothing", "ImportError: cannot import name 'nothing'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise BaseException('odd')", "BaseException: odd"),
        ("__import__('importlib').import_module('nowhere')", "ModuleNotFoundError: No module named 'nowhere'"),
        ("exec('1 / 0')", "ZeroDivisionError: division by zero"),
        ("raise ValueError('a' + chr(0xdc80))", "ValueError: a?"),
        ("raise ValueError('x' * 3000)", "more characters)"),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})", "raised Mute"),
    ],
)
def test_an_import_that_fails_has_the_line_of_its_cause(load: Load, statement: str, text: str) -> None:
    answer = load({"duck.py": "import helper\n", "helper.py": f"def fail():\n    {statement}\n\nfail()\n"})
    assert problem(answer) == ("import_failed", "helper.py", 2)
    assert text in problems(answer)[0]["message"]


def test_code_that_is_too_deep_is_a_problem(load: Load) -> None:
    answer = load({"duck.py": "x = " + "-" * 50_000 + "1\n"})
    assert problem(answer) == ("import_failed", "duck.py", None)


def test_an_import_that_fails_in_the_package_of_the_source_is_told(load: Load) -> None:
    files = {"endpoints/duck.py": DUCK, "endpoints/__init__.py": "import no_such_module\n"}
    assert problem(load(files)) == ("import_failed", "endpoints/__init__.py", 1)


def test_a_missing_package_has_a_remedy(load: Load) -> None:
    answer = load({"duck.py": f"{IMPORTS}import nowhere_to_be_found\n"})
    assert problem(answer) == ("import_failed", "duck.py", 3)
    assert "'nowhere_to_be_found'" in problems(answer)[0]["remedy"]


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        ("from .nothing import x", "endpoints/nothing.py"),
        ("import endpoints.deep.nothing", "endpoints/deep/nothing.py"),
        ("from utils.nothing import x", "utils/nothing.py"),
    ],
)
def test_a_missing_module_of_the_plugins_own_is_no_requirement(load: Load, statement: str, path: str) -> None:
    files = {"endpoints/duck.py": f"{statement}\n", "endpoints/deep/there.py": "", "utils/there.py": ""}
    remedy = problems(load(files))[0]["remedy"]
    assert remedy.startswith(f"there is no {path}, ")
    assert "requirements" not in remedy


def test_a_source_that_is_not_there_is_a_problem(load: Load) -> None:
    answer = load({"other.py": ""}, "duck.py")
    assert problem(answer) == ("source_unreadable", "duck.py", None)
    assert "No such file" in problems(answer)[0]["message"]


def test_all_problems_are_told_at_once(load: Load) -> None:
    files = {"syntax.py": "(", "empty.py": "", "duck.py": DUCK, "import.py": "import nowhere_to_be_found"}
    codes = [found["code"] for found in problems(load(files, *files))]
    assert codes == ["syntax_error", "class_missing", "import_failed"]


# As what a source is imported


def test_sources_have_their_classes_in_their_order(load: Load) -> None:
    files = {"b/x.py": DUCK, "a/x.py": DUCK.replace("Duck", "Drake"), "x.py": DUCK}
    assert classes(load(files, *files)) == ["b.x.Duck", "a.x.Drake", "x.Duck"]


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("endpoints/my-duck.py", "endpoints.my-duck"),
        ("endpoints/duck.v2.py", "endpointd_source_endpoints_duck_v2"),
        ("2nd/duck.py", "2nd.duck"),
        ("endpoints/class.py", "endpoints.class"),
        ("json.py", "endpointd_source_json"),
        ("os/path.py", "endpointd_source_os_path"),
        ("endpoints/logging.py", "endpoints.logging"),
        ("werkzeug.py", "endpointd_source_werkzeug"),
        ("endpointd_worker.py", "endpointd_source_endpointd_worker"),
        ("dify_plugin/duck.py", "endpointd_source_dify_plugin_duck"),
    ],
)
def test_a_source_may_have_any_name(load: Load, source: str, module: str) -> None:
    checks = "import json, logging, os\nassert json.dumps and logging.Logger and os.sep\n"
    assert classes(load({source: checks + DUCK})) == [f"{module}.Duck"]


COUNTING = f"""
import pathlib
with open(pathlib.Path(__file__).with_name("count"), "a") as file:
    file.write("x")
{DUCK}
"""


def test_a_source_that_others_import_is_imported_once(load: Load, tmp_path: Path) -> None:
    other = DUCK.replace("Duck", "Drake") + "import endpoints.duck\nassert endpoints.duck.Duck\n"
    files = {"endpoints/drake.py": other, "endpoints/duck.py": COUNTING, "helper.py": "from endpoints import duck"}
    assert classes(load(files, "endpoints/drake.py", "endpoints/duck.py")) == [
        "endpoints.drake.Drake",
        "endpoints.duck.Duck",
    ]
    assert (tmp_path / "endpoints" / "count").read_text() == "x"


@pytest.mark.parametrize("source", ["duck.py", "json.py"])
def test_a_source_of_several_interfaces_is_imported_once(load: Load, tmp_path: Path, source: str) -> None:
    found = classes(load({source: COUNTING}, source, source))
    assert found[0] == found[1]
    assert (tmp_path / "count").read_text() == "x"


def test_sources_may_import_each_other_as_a_package(load: Load) -> None:
    files = {
        "endpoints/duck.py": "from .base import Base\nfrom utils.text import NAME\n\nclass Duck(Base):\n    n = NAME\n",
        "endpoints/base.py": f"{IMPORTS}\nclass Base(Endpoint):\n{INVOKE}",
        "utils/text.py": "NAME = 'duck'\n",
    }
    assert classes(load(files)) == ["endpoints.duck.Duck"]


def test_an_sdk_that_cannot_be_imported_is_a_problem_of_the_plugins(load: Load) -> None:
    (problem,) = problems(load({"duck.py": DUCK, "dify_plugin/__init__.py": "import nothing_of_the_kind\n"}))
    assert (problem["code"], problem["file"]) == ("import_failed", "duck.py")
    assert problem["message"].startswith("importing dify_plugin raised ModuleNotFoundError")
    assert "pin in its requirements" in problem["remedy"]


def test_the_plugins_own_dify_plugin_is_used_before_the_built_in_one(load: Load) -> None:
    sdk = (
        "import abc\n\nclass Endpoint(abc.ABC):\n    MINE = True\n    def __init__(self, session): ...\n"
        "    @abc.abstractmethod\n    def _invoke(self, r, values, settings): ...\n\nEnterpoint = Endpoint\n"
    )
    files = {
        "duck.py": f"{DUCK}assert Endpoint.MINE\n",
        "dify_plugin/__init__.py": sdk,
        "dify_plugin/core/runtime.py": "class Session: ...",
    }
    assert classes(load(files)) == ["duck.Duck"]
