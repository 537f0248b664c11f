"""Findings: how they read, and how they travel."""

import json

from endpointd.manifest.findings import Finding, Place, Report, Severity, shown


def test_the_parts_that_are_unknown_are_left_out() -> None:
    assert str(Finding(Severity.ERROR, "code", "it broke", None, None, None, "mend it")) == ("it broke; mend it [code]")
    assert str(Finding(Severity.ERROR, "code", "it broke", "a.yaml", None, "key", "mend it")) == (
        "a.yaml: key: it broke; mend it [code]"
    )


def test_a_hostile_name_cannot_forge_a_second_line() -> None:
    finding = Finding(Severity.ERROR, "code", "a\nb\r\x1b[2J\u2028", "f\n.yaml", 1, "k\tey", "")

    assert str(finding) == "f\\n.yaml:1: k\\tey: a\\nb\\r\\x1b[2J\\u2028 [code]"


def test_a_finding_as_a_dict_is_json() -> None:
    finding = Finding(Severity.WARNING, "code", "message", "a.yaml", 3, "key", "remedy")

    assert json.loads(json.dumps(finding.as_dict())) == {
        "severity": "warning",
        "code": "code",
        "message": "message",
        "file": "a.yaml",
        "line": 3,
        "key": "key",
        "remedy": "remedy",
    }


def test_a_long_value_is_cut_in_a_message() -> None:
    assert len(shown("x" * 10_000)) == 80


def test_a_report_keeps_its_order() -> None:
    report = Report()
    report.warning(Place("b"), "first", "", "")
    report.error(Place("a"), "second", "", "")

    assert [(f.code, f.severity) for f in report.findings] == [("first", "warning"), ("second", "error")]
