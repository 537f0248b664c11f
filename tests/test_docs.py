"""The documents keep up with the program: links, commands, codes, events, and the plugin that they build."""

import ast
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer.main

from endpointd.cli.commands import application
from endpointd.cli.late import Commands
from endpointd.testing import DaemonStarter
from support.raw_http import ask

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
HOST = ROOT / "daemon" / "endpointd"
WORKER = ROOT / "worker" / "endpointd_worker"

Rules = dict[str, Callable[[ast.Call], ast.expr | None]]


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def section(document: Path, heading: str) -> str:
    """The text below a heading of the second level."""
    text = document.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{name_of(document)} has no heading {heading!r}"
    return found[1]


def rows(text: str) -> dict[str, str]:
    """The tables' rows that begin with a word of the program: the word, and the cell behind it."""
    found = re.findall(r"^\| `([a-z_.]+)` \| ([^|]*) \|", text, re.MULTILINE)
    words = [word for word, _ in found]
    assert sorted(words) == sorted(set(words)), "a row is there twice"
    return dict(found)


# Links


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links(document: Path) -> Iterator[str]:
    """The targets of the links that stay in the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_fences(document.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(document: Path) -> set[str]:
    """The headings as they are linked to: in lower case, with hyphens for spaces, without punctuation."""
    headings = re.findall(r"^#+ (.*)$", without_fences(document.read_text(encoding="utf-8")), re.MULTILINE)
    kept = [[c for c in text.lower() if c in " -_" or unicodedata.category(c)[0] in "LN"] for text in headings]
    return {"".join(characters).replace(" ", "-") for characters in kept}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = unquote(link).partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link} names no heading of {name_of(target)}"


# Commands


def commands(document: Path) -> Iterator[list[str]]:
    """The arguments of each `endpointd` that the document shows: typed in a console, or named in a sentence."""
    text = document.read_text(encoding="utf-8")
    lines = re.findall(r"^\$ (.*(?:\\\n.*)*)$", text, re.MULTILINE)
    lines += re.findall(r"`(endpointd [^`\n]+)`", without_fences(text))
    for line in lines:
        words = shlex.split(line.replace("\\\n", ""), comments=True)
        for word in list(words):
            # Variables before the command are the shell's.
            if "=" not in word:
                break
            words = words[1:]
        if words and Path(words[0]).name == "endpointd":
            yield words[1:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_and_option_is_there(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Options are heeded when they are read, and what follows in this process is not to be as quiet as a document.
    monkeypatch.setattr("endpointd.cli.late.be_quiet", lambda: None)
    group = typer.main.get_command(application)
    assert isinstance(group, Commands)
    known = group.all()
    for name, *arguments in commands(document):
        if name.startswith("-"):
            assert name in {option for parameter in group.params for option in parameter.opts}
            continue
        assert name in known, f"there is no command 'endpointd {name}'"
        # A command may be named without its arguments; with some, it is as it would be typed.
        if arguments and not {"-h", "--help"} & set(arguments):
            known[name].make_context(name, arguments)


def test_every_command_is_shown() -> None:
    shown = {arguments[0] for document in DOCUMENTS for arguments in commands(document)}
    assert shown >= set(typer.main.get_command(application).commands)  # type: ignore[attr-defined]


# Codes


def test_the_first_screen_shows_how_to_run_it_and_how_to_test_it() -> None:
    """The second one is the command that the continuous integration runs."""
    text = section(ROOT / "README.md", "Run it")
    tested = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert "\n$ make run\n" in text
    assert f"\n$ {tested}\n" in text


def at(place: int) -> Callable[[ast.Call], ast.expr | None]:
    """The argument at `place`, or the one named `code`."""

    def find(call: ast.Call) -> ast.expr | None:
        named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        return call.args[place] if len(call.args) > place else next(iter(named), None)

    return find


HTTP: Rules = {"Problem": at(1), "NoPlace": at(0), "BrokenAnswer": at(0)}
READING: Rules = {"error": at(1), "warning": at(1), "note": at(2), "_Refusal": at(1), "UnreadableScalar": at(0)}
CHECK: Rules = {"Finding": at(1), "FileProblem": at(0), "RuleProblem": at(0), "SourceProblem": at(0)}
FAULT: Rules = {"Fault": at(1), "error": at(1), "Unavailable": at(0), "_about": at(1), "_fault": at(1)}
CHECK |= {"RequirementsProblem": at(0)}
FAILURE: Rules = {"StartFailed": at(0), "_fail": at(1), "EnvironmentFailed": at(0)}
COMMAND: Rules = {"OperatorError": at(0), "UsageError": at(0), "ReleaseError": at(0), "StagingError": at(0)}
COMMAND |= {"PackageError": at(0), "BackupError": at(0)}
COMMAND |= {"HookIdTaken": at(0), "EndpointUnknown": at(0), "EndpointExists": at(0)}
COMMAND |= {"AccessRefused": at(0), "TokenInvalid": at(0), "TokenNameTaken": at(0), "TokenUnknown": at(0)}

ERRORS = (
    HOST / "errors.py",
    HOST / "access" / "errors.py",
    HOST / "endpoints" / "errors.py",
    HOST / "endpoints" / "declaration.py",
)
"""Where the codes of errors are in the errors' own classes."""

# Expressions that hold a code which is written out elsewhere.
PASSED_ON = {"code", "f'{name}_invalid'", "str(problem.get('code', 'load_failed'))"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(*places: Path) -> Iterator[ast.AST]:
    for place in places:
        for path in place.rglob("*.py") if place.is_dir() else [place]:
            yield from ast.walk(tree(path))


def calls(names: Iterable[str], *places: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in nodes(*places):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in names:
                yield name, node


def codes(rules: Rules, *places: Path) -> set[str]:
    """The codes that calls in these files and folders give. AssertionError: one cannot be seen in the source."""
    found = set()
    for name, call in calls(rules, *places):
        code = rules[name](call)
        if isinstance(code, ast.Constant):
            found.add(str(code.value))
        else:
            assert code is None or is_passed_on(code), f"{ast.unparse(call)}: which code is it?"
    return found


def is_passed_on(code: ast.expr) -> bool:
    text = ast.unparse(code)
    return text in PASSED_ON or text.endswith((".code", ".clock", ".verdict"))


def clocks() -> set[str]:
    """The gateway's clocks, whose names are their codes."""
    texts = {node.value for node in nodes(HOST / "gateway") if isinstance(node, ast.Constant)}
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"clock_[a-z_]+", text)}


def explained() -> set[str]:
    """The codes that the gateway has ready for a plugin's failures, each in a pair with its explanation."""
    pairs = [node.elts for node in nodes(HOST / "gateway" / "failures.py") if isinstance(node, ast.Tuple)]
    texts = [[getattr(each, "value", None) for each in pair] for pair in pairs if len(pair) == 2]
    return {code for code, detail in texts if isinstance(code, str) and isinstance(detail, str) and " " in detail}


def misnamed() -> set[str]:
    """The codes that are made of a field's name."""
    fields = [ast.literal_eval(call.args[1]) for _, call in calls({"_matching"}, HOST / "manifest")]
    return {f"{field}_invalid" for field in fields}


CODES = {
    "Answers over HTTP": lambda: codes(HTTP, HOST) | clocks() | explained(),
    "What `endpointd check` reports": lambda: (
        codes(CHECK, HOST, WORKER) | codes(READING, HOST / "manifest", HOST / "environments" / "needs.py") | misnamed()
    ),
    "What is wrong with an endpoint": lambda: (
        codes(FAULT, HOST / "endpoints", HOST / "callers", HOST / "manifest" / "values.py")
        | codes({"UsageError": at(0)}, HOST / "store" / "records.py")
    ),
    "Why a worker failed": lambda: codes(FAILURE, HOST),
    "Why a command failed": lambda: codes(COMMAND, HOST) | codes({"__init__": at(0)}, *ERRORS),
}


@pytest.mark.parametrize("heading", CODES)
def test_every_code_is_explained_and_no_other(heading: str) -> None:
    assert set(rows(section(DOCS / "errors.md", heading))) == CODES[heading]()


def test_every_status_is_the_one_that_is_answered() -> None:
    documented = rows(section(DOCS / "errors.md", "Answers over HTTP"))
    answered = [call.args[:2] for _, call in calls({"Problem"}, HOST / "gateway")]
    for status, code in answered:
        if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
            assert str(status.value) in documented[str(code.value)].split(", "), code.value


# Events


def test_every_event_of_the_log_is_explained_and_no_other() -> None:
    levels = {"info", "warning", "error", "critical", "log"}
    said = [call for _, call in calls(levels, HOST) if ast.unparse(call.func).rpartition(".")[0].endswith("log")]
    texts = [str(argument.value) for call in said for argument in call.args if isinstance(argument, ast.Constant)]
    events = {text for text in texts if re.fullmatch(r"[a-z]+(\.[a-z_]+)?", text)}
    assert set(rows(section(DOCS / "operating.md", "The log"))) == events


# The plugin that writing-plugins.md builds


@pytest.fixture
def greeter(tmp_path: Path) -> Path:
    """The folder that a reader has who does what the document says."""
    text = (DOCS / "writing-plugins.md").read_text(encoding="utf-8")
    files = re.findall(r"^`(greeter/[^`]+)`:\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for name, content in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / "greeter"


def test_the_plugin_that_is_built_has_no_fault(greeter: Path) -> None:
    command = [sys.executable, "-P", "-m", "endpointd", "check", str(greeter)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "acme/greeter:0.1.0 can be served (0 errors, 0 warnings)",
    )


def test_the_plugin_that_is_built_answers(greeter: Path, start_daemon: DaemonStarter) -> None:
    assert ask(start_daemon.one(greeter).url, "/e/greeter/greet/Ada").body == b"Hello, Ada!\n"
