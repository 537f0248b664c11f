"""Reading `endpoints.yaml`: everything is told with its line, nothing raises, and no value of a setting is quoted."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from endpointd.endpoints.declared import MOST, Declared, DeclaredFile, Reference, read_declared
from support.teller import SECRET

GOOD = """\
endpoints:
  - plugin: acme/greeter
    name: Greetings
    hook_id: greetings
    settings:
      greeting: Hello
      token: {env: GREETER_TOKEN}
      key:
        file: secrets/key
      app: {app_id: x}
      nothing:
      day: 2026-01-31
  - plugin: acme/greeter
    name: Others
    enabled: false
"""


def read(text: str | bytes) -> DeclaredFile:
    return read_declared(text if isinstance(text, bytes) else text.encode(), "endpoints.yaml")


def told(text: str | bytes) -> list[tuple[int | None, str | None, str]]:
    """The errors: line, key, and code."""
    found = read(text)
    return [(one.line, one.key, one.code) for one in found.errors]


def one(*lines: str) -> str:
    """A file with one endpoint, of which these are lines 2 and following, with line 1 before."""
    return "endpoints:\n" + "".join(f"{'  - ' if not at else '    '}{line}\n" for at, line in enumerate(lines))


def test_a_good_file_gives_its_endpoints_and_the_line_of_everything() -> None:
    found = read(GOOD)
    assert found.findings == ()
    settings = {
        "greeting": "Hello",
        "token": Reference("env", "GREETER_TOKEN"),
        "key": Reference("file", "secrets/key"),
        "app": {"app_id": "x"},
        "nothing": None,
        "day": "2026-01-31",
    }
    assert found.endpoints == (
        Declared("acme/greeter", "Greetings", "greetings", True, settings),
        Declared("acme/greeter", "Others", None, False, {}),
    )
    lines = GOOD.splitlines()
    assert "token" in lines[found.lines["endpoints[0].settings.token"] - 1]
    assert "hook_id" in lines[found.lines["endpoints[0].hook_id"] - 1]
    assert "Others" in lines[found.lines["endpoints[1].name"] - 1]
    assert "Hello" not in repr(found.endpoints)


def test_a_file_that_is_to_remove_all_has_to_say_so() -> None:
    assert (read("endpoints: []").endpoints, told("endpoints: []")) == ((), [])
    for text in ("endpoints:", "endpoints: null", "{}"):
        assert told(text) == [(1, "endpoints", "key_missing")]
    for text in ("", "# nothing", "---"):
        assert read(text).errors, text


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("endpoints: 5", [(1, "endpoints", "wrong_type")]),
        ("- plugin: x", [(1, None, "wrong_type")]),
        ("endpoints: []\nother: 1", [(2, "other", "key_unknown")]),
        ("endpoints:\n  - text", [(2, "endpoints[0]", "wrong_type")]),
        (
            one("enabeld: true"),
            [
                (2, "endpoints[0].enabeld", "key_unknown"),
                (2, "endpoints[0].plugin", "key_missing"),
                (2, "endpoints[0].name", "key_missing"),
            ],
        ),
        (
            one("plugin: 5", "name: [a]", "hook_id: NO WAY", "enabled: perhaps", "settings: text"),
            [
                (2, "endpoints[0].plugin", "wrong_type"),
                (3, "endpoints[0].name", "wrong_type"),
                (4, "endpoints[0].hook_id", "hook_id_invalid"),
                (5, "endpoints[0].enabled", "wrong_type"),
                (6, "endpoints[0].settings", "wrong_type"),
            ],
        ),
        (one("plugin: x", f"name: {'n' * 201}"), [(3, "endpoints[0].name", "endpoint_name_invalid")]),
        (one("plugin: x", 'name: "a\\nb"'), [(3, "endpoints[0].name", "endpoint_name_invalid")]),
        (one("plugin: x", 'name: "  "'), [(3, "endpoints[0].name", "text_blank")]),
        (one("plugin: x", "name: n", "name: m"), [(4, "name", "key_twice")]),
        (
            one("plugin: x", "name: n", "settings:", "  a: {env: }", "  b: {file: [1]}", "  c: {env: 5}"),
            [
                (line, f"endpoints[0].settings.{key}", "reference_invalid")
                for line, key in ((5, "a"), (6, "b"), (7, "c"))
            ],
        ),
        (
            one("plugin: x", "name: n", "settings:", "  a: .nan", "  b: [.inf]", f"  c: 0b{'1' * 20_000}", "  d: 2"),
            [
                (line, f"endpoints[0].settings.{key}", "value_unsendable")
                for line, key in ((5, "a"), (6, "b"), (7, "c"))
            ],
        ),
        (
            "endpoints:\n  - {plugin: x, name: n}\n  - {plugin: y, name: n}\n  - {plugin: x, name: n}",
            [(4, "endpoints[2].name", "endpoint_twice")],
        ),
        (b"endpoints: []\n# \xff", [(2, None, "encoding")]),
        ("endpoints: [", [(2, None, "yaml_syntax")]),
    ],
)
def test_every_fault_is_told_with_its_line(text: str | bytes, errors: list[tuple[int, str, str]]) -> None:
    assert told(text) == errors
    assert all(finding.remedy for finding in read(text).findings)


def test_what_is_at_fault_is_left_out_and_the_rest_can_be_judged() -> None:
    found = read(
        "endpoints:\n"
        "  - {plugin: x}\n"
        "  - {plugin: x, name: n, hook_id: NO WAY, enabeld: true, rate: fast, settings: {a: .nan, b: {env: }, c: 1}}\n"
    )
    assert len(found.errors) == 6
    assert (found.places, found.endpoints) == ((1,), (Declared("x", "n", settings={"a": None, "b": None, "c": 1}),))


def test_a_key_that_is_nearly_right_is_named() -> None:
    assert read(one("plugin: x", "name: n", "enabeld: true")).errors[0].remedy == "did you mean 'enabled'?"


def test_a_full_file_can_be_read_and_a_fuller_one_is_refused() -> None:
    settings = "\n".join(f"      key-{n}: value" for n in range(20))
    endpoints = [f"  - plugin: acme/greeter\n    name: Number {n}\n    settings:\n{settings}" for n in range(MOST)]
    found = read("endpoints:\n" + "\n".join(endpoints))
    assert (len(found.endpoints), found.findings) == (MOST, ())
    found = read("endpoints:\n" + "\n".join(f"  - {{plugin: x, name: n{n}}}" for n in range(MOST + 1)))
    assert [error.code for error in found.errors] == ["endpoints_too_many"]
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefghijklmnopq", "bcdefghijklmnopqr", strict=True)
    )
    assert [error.code for error in read(bomb).errors] == ["yaml_too_large"]


AWKWARD = [
    "!hunter2",
    "!hunter2 x",
    "!h!unter2 x",
    "*hunter2",
    "2026-99-42",
    "2026-01-31T99:99:99",
    "1" * 5000,
    "&hunter2",
]
"""What a secret without quotes may look like to YAML."""


@pytest.mark.parametrize("secret", AWKWARD)
def test_a_secret_that_yaml_stumbles_over_is_not_quoted(secret: str) -> None:
    for place in (
        ["settings:", f"  token: {secret}"],
        [f"settings: {secret}"],
        ["settings:", f"  token: {{env: {secret}}}"],
    ):
        found = read(one("plugin: x", "name: n", *place))
        text = "\n".join(f"{finding}{finding!r}" for finding in found.findings)
        for part in (secret, "hunter2", "h!unter2", "unter2", "99", "1111"):
            assert part not in text
        for error in found.errors:
            assert error.line is not None


def test_a_file_that_is_a_secret_itself_is_not_quoted() -> None:
    for text in (SECRET, "4711471147", "2026-01-31"):
        assert text not in str(read(text).findings)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["plugin", "name", "hook_id", "enabled", "settings", "nmae"])
ENDPOINTS = st.lists(st.dictionaries(KEYS, VALUES, max_size=6) | VALUES, max_size=3)
PIECES = [
    "endpoints:",
    "- plugin: a/b",
    "name: x",
    "settings:",
    "token: ",
    "{env: X}",
    "&a",
    "*a",
    "!!int ",
    "<<: ",
    "? ",
    "|\n",
]


@given(
    st.binary()
    | st.lists(st.sampled_from([*PIECES, "\n", "  ", "    "]) | st.text(max_size=5)).map(
        lambda parts: "".join(parts).encode("utf-8", "replace")
    )
)
@example(b"endpoints:\n- {plugin: a, name: b, settings: {a: !!binary x}}")
def test_no_bytes_make_it_raise(data: bytes) -> None:
    found = read(data)
    assert all(isinstance(str(finding), str) for finding in found.findings)


@given(ENDPOINTS)
def test_no_document_makes_it_raise_and_what_it_gives_is_well_formed(endpoints: object) -> None:
    found = read(yaml.safe_dump({"endpoints": endpoints}))
    for finding in found.findings:
        assert str(finding).isprintable()
        assert finding.remedy
    for endpoint in found.endpoints:
        assert isinstance(endpoint.plugin, str)
        assert isinstance(endpoint.enabled, bool)
    if not found.errors:
        assert len(found.endpoints) == len(endpoints)  # type: ignore[arg-type]


SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=20).map(
    lambda text: f"hunter2{text}hunter2"
)


@given(
    SECRETS,
    st.sampled_from(["", "'", '"', "- ", "{a: ", "[", "!", "*", "&", "|\n   ", "{env: [", "{env: {x: "]),
    st.sampled_from(["", "'", '"', "}", "]", "]}", "}}"]),
)
def test_no_finding_has_a_value_in_it(secret: str, before: str, behind: str) -> None:
    found = read(
        one("plugin: x", "name: n", "enabeld: 1", "settings:", f"  token: {before}{secret}{behind}", "  b: {env: }")
    )
    assert found.errors
    # What stands before a colon is a key, and keys are named.
    if ": " not in secret + behind and not secret.endswith(":"):
        assert "hunter2" not in "".join(
            f"{finding}{finding!r}" for finding in found.findings if finding.key is None or "hunter2" not in finding.key
        )
