"""Which of a plugin's languages a browser gets."""

import pytest

from endpointd.console.language import Text, languages_of, pick


@pytest.mark.parametrize(
    ("accepted", "languages"),
    [
        ("", ("en_US",)),
        ("*", ("en_US",)),
        ("de-DE,de;q=0.9", ("en_US",)),
        ("pt-BR,pt;q=0.9,en;q=0.8", ("pt_BR", "en_US")),
        ("pt-PT", ("pt_BR", "en_US")),
        ("zh-CN,zh;q=0.9", ("zh_Hans", "en_US")),
        ("zh-Hans-SG", ("zh_Hans", "en_US")),
        # Another script; who reads it may still prefer Japanese to English.
        ("zh-TW,ja;q=0.5", ("ja_JP", "en_US")),
        ("en;q=0.3, ja ;q=0.7", ("ja_JP", "en_US")),
        ("ja;q=0, pt", ("pt_BR", "en_US")),
        # English comes before what is wanted less.
        ("en, pt;q=0.5", ("en_US", "pt_BR")),
        ("ja;q=x,pt;v=1,;;,,=", ("pt_BR", "en_US")),
        ("ja," * 100_000, ("ja_JP", "en_US")),
    ],
)
def test_a_browsers_languages(accepted: str, languages: tuple[str, ...]) -> None:
    assert languages_of(accepted) == languages


def test_a_text_is_in_the_first_language_that_it_has() -> None:
    texts = {"en_US": "Region", "zh_Hans": "地区"}
    assert pick(texts, ("zh_Hans", "en_US")) == Text("地区", "zh-Hans")
    assert pick(texts, ("pt_BR", "zh_Hans", "en_US")) == Text("地区", "zh-Hans")
    assert pick(texts, ("pt_BR", "en_US")) == Text("Region", "en")


def test_what_has_no_text_has_none() -> None:
    assert pick({}, ("ja_JP", "en_US")) is None
    assert pick({"en_US": ""}, ("en_US",)) is None
