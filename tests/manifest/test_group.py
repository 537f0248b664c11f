"""Groups and interfaces: what they may list, and where their faults are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from endpointd.manifest.group import MAX_INTERFACES
from endpointd.manifest.model import METHODS, Plugin
from endpointd.manifest.reading import Reading

if TYPE_CHECKING:
    from manifest.conftest import Draft


def good(reading: Reading) -> Plugin:
    """The plugin that was read; the test fails if it was refused."""
    assert reading.plugin is not None, reading.findings
    return reading.plugin


def errors_of(reading: Reading) -> list[tuple[str | None, str | None, str]]:
    """File, key and code of each error of a plugin that was refused."""
    assert reading.plugin is None
    return [(error.file, error.key, error.code) for error in reading.errors]


@pytest.mark.parametrize("method", METHODS)
def test_each_of_the_six_methods_is_taken(draft: Draft, method: str) -> None:
    draft.interface["method"] = method

    reading = draft.read()

    assert reading.findings == ()
    assert good(reading).interfaces[0].method == method


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "CONNECT", "get", "Get", "G E T"])
def test_any_other_method_is_an_error_of_the_interface(draft: Draft, method: str) -> None:
    draft.interface["method"] = method

    reading = draft.read()

    assert errors_of(reading) == [("endpoints/duck.yaml", "method", "method_unknown")]


def test_a_method_in_lower_case_is_told_how_to_write_it(draft: Draft) -> None:
    draft.interface["method"] = "get"

    assert draft.read().errors[0].remedy == "write GET"


def test_a_finding_is_one_line_with_place_key_remedy_and_code(draft: Draft) -> None:
    text = "path: /\nextra: {python: {source: endpoints/duck.py}}\nmethod: PATCH\n"

    (error,) = draft.read({"endpoints/duck.yaml": text}).errors

    assert str(error) == (
        "endpoints/duck.yaml:3: method: 'PATCH' is not a method of an interface; "
        "use one of HEAD, GET, POST, PUT, DELETE, OPTIONS [method_unknown]"
    )


@pytest.mark.parametrize(
    ("document", "key", "code"),
    [
        ({"method": "GET", "extra": {"python": {"source": "endpoints/duck.py"}}}, "path", "key_missing"),
        ({"path": "/", "extra": {"python": {"source": "endpoints/duck.py"}}}, "method", "key_missing"),
        ({"path": "/", "method": "GET"}, "extra", "key_missing"),
        ({"path": "/", "method": "GET", "extra": {}}, "extra.python", "key_missing"),
        ({"path": "/", "method": "GET", "extra": {"python": {}}}, "extra.python.source", "key_missing"),
        ({"path": "/", "method": "GET", "extra": "duck.py"}, "extra", "wrong_type"),
        ({"path": "/", "method": "GET", "extra": {"python": "duck.py"}}, "extra.python", "wrong_type"),
        ({"path": 5, "method": "GET", "extra": {"python": {"source": "endpoints/duck.py"}}}, "path", "wrong_type"),
        ({"path": "/", "method": True, "extra": {"python": {"source": "endpoints/duck.py"}}}, "method", "wrong_type"),
    ],
)
def test_what_an_interface_cannot_be_without_is_an_error(
    draft: Draft, document: dict[str, Any], key: str, code: str
) -> None:
    draft.interface = document

    assert errors_of(draft.read()) == [("endpoints/duck.yaml", key, code)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "path: /\nmethod: GET\nextra:\n  python:\n  source: endpoints/duck.py\n",
            "endpoints/duck.yaml:4: extra.python: 'python' is empty; "
            "write 'source' further to the right, below 'python' [key_missing]",
        ),
        (
            "path: /\nmethod: GET\nextra:\npython:\n  source: endpoints/duck.py\n",
            "endpoints/duck.yaml:3: extra: 'extra' is empty; "
            "write 'python' further to the right, below 'extra' [key_missing]",
        ),
        (
            "path: /\nmethod: GET\nextra:\n  python:\n",
            "endpoints/duck.yaml:4: extra.python: 'python' is empty; "
            "write extra:, below that python:, and below that source: with the path of a .py file [key_missing]",
        ),
        (
            "path: /\nmethod: [GET, POST]\nextra:\n  python:\n    source: endpoints/duck.py\n",
            "endpoints/duck.yaml:2: method: this is a list, not a method; one interface has one method: "
            "write a file for each, which may name the same source [wrong_type]",
        ),
    ],
)
def test_what_was_meant_is_told(draft: Draft, text: str, told: str) -> None:
    (error,) = draft.read({"endpoints/duck.yaml": text}).errors

    assert str(error) == told


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("endpoints/none.py", "file_missing"),
        ("/endpoints/duck.py", "path_absolute"),
        ("../duck.py", "path_outside"),
        ("endpoints/../endpoints/duck.py", "path_outside"),
        ("endpoints\\duck.py", "path_backslash"),
        ("endpoints/duck", "source_not_python"),
        ("endpoints/duck.yaml", "source_not_python"),
        ("a\0.py", "path_invalid"),
    ],
)
def test_a_source_is_a_python_file_inside_the_folder(draft: Draft, source: str, code: str) -> None:
    draft.interface["extra"]["python"]["source"] = source

    assert errors_of(draft.read()) == [("endpoints/duck.yaml", "extra.python.source", code)]


@pytest.mark.parametrize("source", ["endpoints/whatsapp-bot.py", "./endpoints/whatsapp-bot.py"])
def test_a_source_may_have_hyphens_and_a_dot_before_it(draft: Draft, source: str) -> None:
    draft.interface["extra"]["python"]["source"] = source

    reading = draft.read({"endpoints/whatsapp-bot.py": ""})

    assert reading.findings == ()
    assert good(reading).sources == ("endpoints/whatsapp-bot.py",)


def test_a_source_with_a_dot_in_its_name_is_taken_with_a_warning(draft: Draft) -> None:
    draft.interface["extra"]["python"]["source"] = "endpoints/duck.v2.py"

    reading = draft.read({"endpoints/duck.v2.py": ""})

    assert [found.code for found in reading.findings] == ["source_dotted"]
    assert reading.plugin


@pytest.mark.parametrize("written", [True, "true", 1])
def test_hidden_is_read_and_never_an_error(draft: Draft, written: object) -> None:
    draft.interface["hidden"] = written

    assert good(draft.read()).interfaces[0].hidden is True


def test_hidden_of_a_wrong_type_is_a_warning(draft: Draft) -> None:
    draft.interface["hidden"] = ["yes"]

    reading = draft.read()

    assert [(found.key, found.code) for found in reading.warnings] == [("hidden", "wrong_type")]
    assert good(reading).interfaces[0].hidden is False


def test_interfaces_may_be_written_inline_beside_paths(draft: Draft) -> None:
    inline = {"path": "/goose", "method": "POST", "extra": {"python": {"source": "endpoints/duck.py"}}}
    draft.group["endpoints"].append(inline)

    reading = draft.read()

    assert reading.findings == ()
    assert [(i.path, i.file) for i in good(reading).interfaces] == [
        ("/duck/<app_id>", "endpoints/duck.yaml"),
        ("/goose", "group/duck.yaml"),
    ]


def test_a_fault_inside_an_inline_interface_has_the_whole_key_and_the_line_of_the_group(draft: Draft) -> None:
    text = "endpoints:\n  - path: /\n    method: GET\n    extra:\n      python:\n        source: none.py\n"

    (error,) = draft.read({"group/duck.yaml": text}).errors

    assert (error.file, error.line, error.key) == ("group/duck.yaml", 6, "endpoints[0].extra.python.source")


def test_a_missing_interface_is_reported_where_it_is_listed(draft: Draft) -> None:
    text = "endpoints:\n  - endpoints/duck.yaml\n  - endpoints/none.yaml\n"

    (error,) = draft.read({"group/duck.yaml": text}).errors

    assert (error.file, error.line, error.key) == ("group/duck.yaml", 3, "endpoints[1]")
    assert error.code == "file_missing"
    assert "endpoints/none.yaml" in error.message


@pytest.mark.parametrize(
    ("endpoints", "key", "code"),
    [
        (None, "endpoints", "key_missing"),
        ([], "endpoints", "list_empty"),
        ("endpoints/duck.yaml", "endpoints", "wrong_type"),
        ({"duck": "endpoints/duck.yaml"}, "endpoints", "wrong_type"),
        (["endpoints/duck.yaml", None], "endpoints[1]", "wrong_type"),
        (["endpoints/duck.yaml", ["x"]], "endpoints[1]", "wrong_type"),
        (["endpoints/duck.yaml", "endpoints/duck.yaml"], "endpoints[1]", "listed_twice"),
    ],
)
def test_endpoints_is_a_list_of_paths_and_mappings(draft: Draft, endpoints: object, key: str, code: str) -> None:
    draft.group["endpoints"] = endpoints

    assert errors_of(draft.read()) == [("group/duck.yaml", key, code)]


def test_more_interfaces_than_can_be_meant_are_refused(draft: Draft) -> None:
    draft.group["endpoints"] = ["endpoints/duck.yaml"] * (MAX_INTERFACES + 1)

    assert "too_many_interfaces" in {error.code for error in draft.read().errors}


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "12\n"])
@pytest.mark.parametrize("file", ["manifest.yaml", "group/duck.yaml", "endpoints/duck.yaml"])
def test_a_file_that_is_not_a_mapping_is_an_error_with_its_line(draft: Draft, file: str, text: str) -> None:
    (error,) = draft.read({file: text}).errors

    assert (error.file, error.line, error.code) == (file, 1, "wrong_type")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("duck", "path_slash"),
        ("/<int:a", "path_invalid_rule"),
        ("/<>", "path_invalid_rule"),
        ("/<nothing:a>", "path_converter"),
        ("/<a>/<int:a>", "path_variable_twice"),
        ("/<int(max='x'):a>/<string(length=x):b>", "path_invalid_rule"),
        ("/<string(minlength=5,maxlength=2):a>", "path_invalid_rule"),
        ("/<string(length=99999999999999999999):a>", "path_invalid_rule"),
        ("/<any(1):a>", "path_invalid_rule"),
        ("/<int(colour=3):a>", "path_invalid_rule"),
        ("/<int(:a>", "path_invalid_rule"),
        ("/" + "x" * 2000, "path_too_long"),
        ("/a" * 200, "path_too_long"),
    ],
)
def test_a_path_that_is_not_a_rule_is_an_error_of_the_interface(draft: Draft, path: str, code: str) -> None:
    draft.interface["path"] = path

    reading = draft.read()

    assert errors_of(reading) == [("endpoints/duck.yaml", "path", code)]
    assert reading.errors[0].line == 1


@pytest.mark.parametrize("path", ["/a?b=1", "/a#b", "/a%20b", "/a\\b", "/a/{name}", "/a/:name", "/{name}/<b>"])
def test_a_path_that_no_request_is_likely_to_have_is_a_warning(draft: Draft, path: str) -> None:
    draft.interface["path"] = path

    reading = draft.read()

    assert reading.plugin
    assert [(found.key, found.code) for found in reading.warnings] == [("path", "path_unusual")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a", "/a"),
        ("/a", "//a"),
        ("/<a>", "/<b>"),
        ("/<a>", "/<string:b>"),
        ("/<int:a>/x", "/<int(min=3):b>/x"),
        ("/<path:a>/", "/<path:b>/"),
    ],
)
def test_the_same_route_twice_is_an_error_that_names_both_places(draft: Draft, first: str, second: str) -> None:
    draft.interface["path"] = first
    inline = {"path": second, "method": "GET", "extra": {"python": {"source": "endpoints/duck.py"}}}
    draft.group["endpoints"].append(inline)

    reading = draft.read()

    assert errors_of(reading) == [("group/duck.yaml", "path", "route_twice")]
    assert "endpoints/duck.yaml:1" in reading.errors[0].message
    assert reading.errors[0].line


@pytest.mark.parametrize(
    ("second", "method"),
    [("/a", "POST"), ("/a", "HEAD"), ("/a/", "GET"), ("/<a>", "GET"), ("/a/<b>", "GET")],
)
def test_routes_that_differ_are_both_kept(draft: Draft, second: str, method: str) -> None:
    draft.interface["path"] = "/a"
    inline = {"path": second, "method": method, "extra": {"python": {"source": "endpoints/duck.py"}}}
    draft.group["endpoints"].append(inline)

    reading = draft.read()

    assert reading.findings == ()
    assert len(good(reading).interfaces) == 2
