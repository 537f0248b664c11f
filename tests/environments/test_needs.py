"""What a plugin's folder asks for: which file counts, what is equal, and what cannot be understood."""

import pytest

from endpointd.environments.needs import Needs, Source, read_needs
from endpointd.manifest.findings import Report
from environments.folders import Files

HOST = "3.12.1"
LOCK = """
version = 1
requires-python = ">=3.11"

[[package]]
name = "{name}"
version = "{version}"
source = {{ virtual = "." }}
dependencies = [{{ name = "six" }}]

[[package]]
name = "six"
version = "1.17.0"
source = {source}
"""
PYPI = '{ registry = "https://pypi.org/simple" }'


def lock(name: str = "duck", version: str = "0.0.1", source: str = PYPI) -> str:
    return LOCK.format(name=name, version=version, source=source)


def project(name: str = "duck", version: str = "0.0.1", rest: str = 'dependencies = ["six"]') -> str:
    return f'[project]\nname = "{name}"\nversion = "{version}"\n{rest}\n'


def read(files: dict[str, str | bytes], content: str | None = "c") -> tuple[Needs | None, list[str]]:
    report = Report()
    needs = read_needs(Files(files), "3.12", content, HOST, report)
    return needs, [str(finding) for finding in report.findings]


def needs_of(content: str | None = "c", **files: str) -> Needs:
    needs, findings = read({name.replace("__", "."): text for name, text in files.items()}, content)
    assert needs is not None, findings
    return needs


# Which file counts


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({}, None),
        ({"requirements.txt": "# nothing\n\n"}, None),
        ({"requirements.txt": "six"}, Source.REQUIREMENTS),
        ({"requirements.txt": "six", "pyproject.toml": project()}, Source.PROJECT),
        ({"requirements.txt": "six", "pyproject.toml": project(), "uv.lock": lock()}, Source.LOCK),
        ({"requirements.txt": "six", "pyproject.toml": "[tool.ruff]\nline-length = 100"}, Source.REQUIREMENTS),
        ({"requirements.txt": "six", "pyproject.toml": project(rest="")}, Source.REQUIREMENTS),
        ({"pyproject.toml": project(rest="dependencies = []")}, None),
        ({"pyproject.toml": project(rest='requires-python = ">=3.11"')}, None),
        ({"pyproject.toml": project(rest='requires-python = ">=3.13"')}, Source.PROJECT),
        (
            {"requirements.txt": "# nothing", "pyproject.toml": project(rest='requires-python = ">=3.13"')},
            Source.PROJECT,
        ),
        ({"pyproject.toml": project(rest='dynamic = ["dependencies"]')}, Source.PROJECT),
        ({"uv.lock": lock()}, None),
        ({"requirements.txt": "-i https://example.org/simple\n-c more.txt", "more.txt": "six<2"}, None),
        ({"requirements.txt": "dify_plugin>=0.7,<1"}, Source.REQUIREMENTS),
        ({"requirements.txt": "Dify.Plugin==0.9.0 --hash=sha256:00\nsix"}, Source.REQUIREMENTS),
        ({"requirements.txt": "dify_plugin @ https://example.org/dify_plugin.whl"}, Source.REQUIREMENTS),
        ({"requirements.txt": "six", "pyproject.toml": project(rest='dependencies = ["dify-plugin"]')}, Source.PROJECT),
        ({"pyproject.toml": project(rest='dependencies = ["dify_plugin", "six"]'), "uv.lock": lock()}, Source.LOCK),
        (
            {
                "pyproject.toml": project(rest='dependencies = ["dify_plugin"]\nrequires-python = ">=3.13"'),
                "uv.lock": lock(),
            },
            Source.LOCK,
        ),
    ],
)
def test_the_file_that_counts(files: dict[str, str | bytes], source: Source | None) -> None:
    needs, findings = read(files)
    assert findings == []
    assert (needs and needs.source) == source


def test_what_says_which_interpreter_fits_goes_along() -> None:
    needs = needs_of(pyproject__toml=project(rest='dependencies = ["six"]\nrequires-python = "<3.13"'))
    assert (needs.runner_version, needs.requires_python) == ("3.12", "<3.13")
    assert needs_of(requirements__txt="six").requires_python is None
    rule = project(rest='requires-python = ">=3.13"')
    beside = needs_of(requirements__txt="six", pyproject__toml=rule)
    assert (beside.source, beside.requires_python) == (Source.REQUIREMENTS, ">=3.13")
    assert beside.digest == needs_of(requirements__txt="six").digest


# What is equal


def test_comments_blanks_and_the_way_of_writing_do_not_count() -> None:
    plain = needs_of(requirements__txt="six==1.17.0 --hash=sha256:00\nidna>=3\n")
    other = "\ufeff# duck\r\n\r\nsix==1.17.0   \\\r\n  --hash=sha256:00   # six\r\nidna>=3"
    assert needs_of(requirements__txt=other).digest == plain.digest
    assert needs_of(requirements__txt="six==1.17.1\nidna>=3").digest != plain.digest


def test_what_is_included_counts_and_where_it_stands_does_not() -> None:
    whole = needs_of(requirements__txt="six\nidna")
    for line in ("-r more/base.txt", "--requirement more/base.txt", "--requirement=more/base.txt", "-rmore/base.txt"):
        found, _ = read({"requirements.txt": f"six\n{line}", "more/base.txt": "idna"})
        assert found is not None
        assert (found.digest, found.files) == (whole.digest, ("requirements.txt", "more/base.txt"))
    nested, _ = read({"requirements.txt": "six\n-r a/b.txt", "a/b.txt": "-r c.txt", "a/c.txt": "idna\n-r b.txt"})
    assert nested is not None
    assert nested.digest == whole.digest
    constrained, _ = read({"requirements.txt": "six\n-c c.txt", "c.txt": "idna"})
    assert constrained is not None
    assert constrained.digest != whole.digest
    both, _ = read({"requirements.txt": "-c c.txt\n-r c.txt", "c.txt": "idna"})
    assert both is not None
    assert both.files == ("requirements.txt", "c.txt")
    below, findings = read({"requirements.txt": "-r a/b.txt", "a/b.txt": "../lib"})
    assert below is not None, findings


def test_the_projects_own_name_and_version_do_not_count() -> None:
    one = needs_of(pyproject__toml=project(), uv__lock=lock())
    other = needs_of(pyproject__toml=project("goose", "2.0"), uv__lock=lock("goose", "2.0"))
    assert one.digest == other.digest
    assert needs_of(pyproject__toml=project()).digest == needs_of(pyproject__toml=project("goose", "2.0")).digest


def test_every_other_word_of_a_lock_counts() -> None:
    one = needs_of(pyproject__toml=project(), uv__lock=lock())
    assert one.digest != needs_of(pyproject__toml=project(), uv__lock=lock().replace("1.17.0", "1.16.0")).digest
    assert one.digest != needs_of(pyproject__toml=project()).digest


# What leads to other files of the folder


@pytest.mark.parametrize(
    "line",
    [
        *("./lib", "lib/duck-1.0-py3-none-any.whl", "lib/../lib/[extra]", "duck.tar.gz"),
        *("duck @ file:./lib", "duck @ file://${PROJECT_ROOT}/lib", "-f wheels", "--find-links=wheels"),
    ],
)
def test_what_is_installed_from_the_folder_changes_with_it(line: str) -> None:
    one, other = needs_of("a", requirements__txt=f"six\n{line}"), needs_of("b", requirements__txt=f"six\n{line}")
    assert one.digest != other.digest
    assert one.files == ()


@pytest.mark.parametrize(
    "line",
    [
        "six",
        "six[a,b]>=1,<2 ; python_version < '4'",
        "six @ https://example.org/six.whl",
        "https://example.org/six-1.0-py3-none-any.whl",
        "git+https://example.org/six.git@main",
        "six @ git+ssh://git@example.org/six.git",
        "--index-url https://example.org/simple",
        "-f https://example.org/wheels",
        "--no-binary six",
        "six --no-binary :all:",
    ],
)
def test_what_comes_from_elsewhere_does_not(line: str) -> None:
    one, other = needs_of("a", requirements__txt=f"six\n{line}"), needs_of("b", requirements__txt=f"six\n{line}")
    assert one == other
    assert one.files == ("requirements.txt",)


@pytest.mark.parametrize("source", ['{ path = "six.whl" }', '{ directory = "lib" }', '{ editable = "lib" }'])
def test_a_lock_may_lead_to_the_folder_too(source: str) -> None:
    text = lock(source=source)
    one = needs_of("a", pyproject__toml=project(), uv__lock=text)
    assert one.files == ()
    assert one.digest != needs_of("b", pyproject__toml=project(), uv__lock=text).digest


@pytest.mark.parametrize(
    "rest",
    [
        'dependencies = ["six @ file:lib"]',
        'dynamic = ["dependencies"]',
        'dependencies = ["six"]\n[tool.uv.sources]\nsix = { path = "lib" }',
        'dependencies = ["six"]\n[tool.uv.sources]\nsix = [{ workspace = true }]',
    ],
)
def test_a_project_may_as_well(rest: str) -> None:
    assert needs_of(pyproject__toml=project(rest=rest)).files == ()


# What cannot be understood


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"requirements.txt": "six\nsix is good"}, "requirements.txt:2: 'six is good' is no requirement"),
        ({"requirements.txt": "-e ."}, "asks for an editable installation"),
        ({"requirements.txt": "-r https://example.org/r.txt"}, "whose content may change"),
        ({"requirements.txt": "-r ../secret"}, "which is outside the plugin's folder"),
        ({"requirements.txt": "-r /etc/passwd"}, "which is outside the plugin's folder"),
        ({"requirements.txt": "/srv/duck-1.0-py3-none-any.whl"}, "which is outside the plugin's folder"),
        ({"requirements.txt": "six\n./lib/../../duck ; python_version > '3'"}, "requirements.txt:2: it asks for"),
        ({"requirements.txt": "duck @ file:///srv/duck"}, "which is outside the plugin's folder"),
        ({"requirements.txt": "file:///srv/duck.whl"}, "which is outside the plugin's folder"),
        ({"requirements.txt": "${HOME}/duck.whl"}, "which is outside the plugin's folder"),
        ({"requirements.txt": "\n-r a.txt"}, "requirements.txt:2: there is no file 'a.txt'"),
        ({"requirements.txt": b"six\xff"}, "requirements.txt: it is not UTF-8"),
        ({"pyproject.toml": "[project"}, "pyproject.toml: it is not TOML"),
        ({"pyproject.toml": "a = " + "9" * 5000}, "pyproject.toml: it is not TOML: Exceeds the limit"),
        ({"pyproject.toml": "a = " + "[" * 3000 + "]" * 3000}, "pyproject.toml: it is not TOML: it is nested more"),
        ({"pyproject.toml": project(), "uv.lock": "a = 0x" + "f" * 5000}, "a number has more than 64 bits"),
        ({"pyproject.toml": project(), "uv.lock": "a." * 3000 + "a = 1"}, "it is nested more than 50 levels deep"),
        ({"pyproject.toml": "project = 1"}, "'project' is not a table"),
        ({"pyproject.toml": project(rest="dependencies = 'six'")}, "project.dependencies is not a list of texts"),
        ({"pyproject.toml": project(rest="dependencies = ['six is good']")}, "'six is good' is no requirement"),
        ({"pyproject.toml": project(rest="requires-python = 3")}, "project.requires-python is not a text"),
        ({"pyproject.toml": project(rest="requires-python = 'new'")}, "'new', which is no range of versions"),
        ({"pyproject.toml": project() + "[tool.uv]\nsources = []"}, "tool.uv.sources is not a table"),
        ({"pyproject.toml": project(rest="dependencies = ['six @ file:///srv/six']")}, "outside the plugin's folder"),
        ({"pyproject.toml": project() + "[tool.uv.sources]\nsix = {path = '../six'}"}, "outside the plugin's folder"),
        (
            {"pyproject.toml": project(), "uv.lock": lock(source='{ directory = "../six" }')},
            "uv.lock: it asks for '../six', which is outside the plugin's folder",
        ),
        ({"pyproject.toml": project(), "uv.lock": "["}, "uv.lock: it is not TOML"),
        ({"pyproject.toml": project(), "uv.lock": "package = 1"}, "uv.lock: 'package' is not a list of tables"),
        ({"pyproject.toml": b"\xff"}, "pyproject.toml: it is not UTF-8"),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_place(files: dict[str, str | bytes], words: str) -> None:
    needs, findings = read(files)
    assert needs is None
    assert len(findings) == 1
    assert words in findings[0]


POETRY = '[tool.poetry.dependencies]\npython = "^3.12"\n'


def test_dependencies_that_only_poetry_reads_are_told_of() -> None:
    needs, findings = read({"pyproject.toml": f'{POETRY}requests = "^2.32"'})
    assert needs is None
    assert "pyproject.toml" in findings[0]
    assert "[tool.poetry.dependencies]" in findings[0]


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": POETRY},
        {"pyproject.toml": f'{POETRY}requests = "^2.32"', "requirements.txt": "requests"},
        {"pyproject.toml": f'{project()}{POETRY}requests = "^2.32"'},
        {"pyproject.toml": "[tool]\npoetry = 1"},
    ],
)
def test_nothing_is_said_of_those_that_are_elsewhere_too(files: dict[str, str | bytes]) -> None:
    assert read(files)[1] == []


def test_files_that_include_each_other_without_end_have_one() -> None:
    files: dict[str, str | bytes] = {f"{n}.txt": f"-r {n + 1}.txt" for n in range(100)}
    assert "more than 50 files" in read({"requirements.txt": "-r 0.txt", **files})[1][0]
