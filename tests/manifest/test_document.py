"""YAML to nodes: lines, hostile documents, and that nothing whatever raises."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from endpointd.manifest.document import MAX_DEPTH, MAX_NODES, read_document
from endpointd.manifest.files import Kind
from endpointd.manifest.findings import Finding, Report
from endpointd.manifest.nodes import plain
from endpointd.manifest.reading import read_plugin


def read(data: bytes | str) -> tuple[object, tuple[Finding, ...]]:
    """The document as plain values, and its findings."""
    report = Report()
    node = read_document(data if isinstance(data, bytes) else data.encode(), "a.yaml", report)
    return (None if node is None else plain(node)), report.findings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 1.5, true, ~, ]", {"a": 1, "b": ["x", 1.5, True, None]}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        (
            "a: &x {b: 1}\ne: &y {f: 2, b: 9}\nd: {<<: [*x, *y]}",
            {"a": {"b": 1}, "e": {"f": 2, "b": 9}, "d": {"b": 1, "f": 2}},
        ),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
        ("1: a\n~: b\nyes: c", {"1": "a", "~": "b", "yes": "c"}),
        ("a: !!str 5\nb: !!int '5'", {"a": "5", "b": 5}),
        ("a: 2026-01-31\nb: 2026-01-31T12:00:00Z", {"a": "2026-01-31", "b": "2026-01-31T12:00:00Z"}),
        ("a: =\nb: <<", {"a": "=", "b": "<<"}),
        ("---\na: 1\n...\n", {"a": 1}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("a: 鸭子", {"a": "鸭子"}),
    ],
)
def test_what_yaml_says_is_what_is_read(text: str, value: object) -> None:
    assert read(text) == (value, ())


def nested(depth: int) -> str:
    """Lists in lists."""
    return "[" * depth + "]" * depth


def bomb(levels: int) -> str:
    """Each level repeats the one before nine times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def ladder(levels: int) -> str:
    """Each level is one deeper than the one before, by an alias."""
    return "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, levels))])


@pytest.mark.parametrize(
    ("data", "line", "code"),
    [
        ("", 1, "yaml_empty"),
        ("# only a comment\n", 1, "yaml_empty"),
        ("a: 1\n---\nb: 2\n", 2, "yaml_documents"),
        ("a: [1\n", 2, "yaml_syntax"),
        ("a: 1\n\tb: 2\n", 2, "yaml_syntax"),
        ("a: 1\n b: 2\n", 2, "yaml_syntax"),
        ("a: b: c\n", 1, "yaml_syntax"),
        ("a: 1\nb: \x01\n", 2, "yaml_character"),
        (b"a: 1\nb: \xff\n", 2, "encoding"),
        ("a: 1".encode("utf-16"), 1, "encoding"),
        ("a: *none\n", 1, "yaml_alias"),
        ("a: &a [*a]\n", 1, "yaml_alias"),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "yaml_tag"),
        ("a: 1\nb: !!python/name:os.system\n", 2, "yaml_tag"),
        ("b: !mine {a: 1}\n", 1, "yaml_tag"),
        ("b: !!binary aGk=\n", 1, "yaml_tag"),
        ("b: !!set {a, b}\n", 1, "yaml_tag"),
        ("? [a, b]\n: c\n", 1, "yaml_key"),
        ("a: 1\n? {b: c}\n: d\n", 2, "yaml_key"),
        ("a:\n  <<: 5\n", 2, "yaml_merge"),
        ("a: 1\nb: 2026-13-45\n", 2, "yaml_value"),
        ("a: !!int x\n", 1, "yaml_value"),
        ("a: !!int ''\n", 1, "yaml_value"),
        ("a: !!timestamp x\n", 1, "yaml_value"),
        ("a: !!bool x\n", 1, "yaml_value"),
        ("a: " + "1" * 5000, 1, "yaml_value"),
        (nested(MAX_DEPTH + 1), 1, "yaml_too_deep"),
        (nested(500_000), 1, "yaml_too_deep"),
        ("- " * 500_000, 1, "yaml_too_deep"),
        (ladder(MAX_DEPTH + 2), MAX_DEPTH, "yaml_too_deep"),
        (bomb(40), 5, "yaml_too_large"),
        ("- x\n" * (MAX_NODES + 1), MAX_NODES + 1, "yaml_too_large"),
    ],
)
def test_a_document_that_cannot_be_read_is_one_error_with_its_line(data: bytes | str, line: int, code: str) -> None:
    value, findings = read(data)

    assert value is None
    assert [(found.line, found.code, found.severity) for found in findings] == [(line, code, "error")]
    assert findings[0].file == "a.yaml"
    assert findings[0].message
    assert findings[0].remedy


def test_the_deepest_and_the_largest_allowed_are_read() -> None:
    assert read(nested(MAX_DEPTH))[1] == ()
    assert read(ladder(MAX_DEPTH - 2))[1] == ()
    assert read("- x\n" * (MAX_NODES - 1))[1] == ()


def test_each_key_that_is_written_twice_is_an_error_that_names_both_lines() -> None:
    _, findings = read("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 4\n")

    assert [(found.line, found.key, found.code) for found in findings] == [
        (5, "c", "key_twice"),
        (6, "a", "key_twice"),
    ]
    assert "line 3 and on line 5" in findings[0].message


YAML_PARTS = st.sampled_from(
    [
        *"[]{}:,-?&*!|>'\"%@#~\n\t ",
        *("a", "&a ", "*a ", "<<: ", "- ", "!!int ", "!!map ", "---\n", "...\n", "1.5", "\ufeff"),
        *("name: ", "plugins: ", "endpoints: ", "settings: ", "path: "),
        *("2026-99-99", "\x00", "é", "0x", "1:99:3"),
    ]
)
DOCUMENTS = st.one_of(
    st.binary(max_size=200), st.lists(YAML_PARTS, max_size=60).map(lambda parts: "".join(parts).encode())
)


class Everywhere(dict[str, bytes]):
    """A plugin in which every path leads to the same bytes, except for the files given by name."""

    def __init__(self, data: bytes, **files: bytes) -> None:
        super().__init__(files)
        self.data = data

    def read(self, path: str) -> bytes:
        return self.get(path, self.data)

    def check(self, path: str) -> None:
        self.read(path)

    def kind(self, path: str) -> Kind | None:
        return None if path else Kind.DIRECTORY


@given(DOCUMENTS)
@settings(max_examples=500, deadline=None)
def test_any_bytes_give_a_document_or_errors(data: bytes) -> None:
    report = Report()

    node = read_document(data, "a.yaml", report)

    assert node is not None or report.findings


@given(DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_any_bytes_as_manifest_group_and_interface_never_raise(data: bytes) -> None:
    manifest = b"name: a\nversion: 0.1.0\nplugins: {endpoints: [g.yaml]}"
    whole = [
        Everywhere(data),
        Everywhere(data, **{"manifest.yaml": manifest}),
        Everywhere(data, **{"manifest.yaml": manifest, "g.yaml": b"endpoints: [i.yaml]"}),
    ]
    for files in whole:
        reading = read_plugin(files)
        assert (reading.plugin is None) == bool(reading.errors)
        assert all("\n" not in str(finding) for finding in reading.findings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["version", "type", "author", "name", "label", "icon", "created_at", "resource", "plugins", "meta", "tags"]


@given(st.sampled_from(FIELDS), JSON)
@settings(max_examples=300, deadline=None)
def test_any_value_in_any_field_never_raises(field: str, value: object) -> None:

    document = {"name": "a", "version": "0.1.0", "plugins": {"endpoints": ["g.yaml"]}, field: value}
    manifest = yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "replace")

    reading = read_plugin(Everywhere(b"endpoints: [i.yaml]", **{"manifest.yaml": manifest}))

    assert reading.errors


@given(st.sampled_from(["name", "type", "required", "default", "options", "label", "scope", "help"]), JSON)
@settings(max_examples=300, deadline=None)
def test_any_value_in_any_field_of_a_setting_never_raises(field: str, value: object) -> None:

    setting = {"name": "a", "type": "select", "options": [{"value": "a"}], field: value}
    group = yaml.safe_dump({"settings": [setting], "endpoints": []}, allow_unicode=True).encode("utf-8", "replace")
    manifest = b"name: a\nversion: 0.1.0\nplugins: {endpoints: [g.yaml]}"

    reading = read_plugin(Everywhere(group, **{"manifest.yaml": manifest}))

    assert reading.errors
