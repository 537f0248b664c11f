"""Chooses the language of a plugin's texts by the browser's Accept-Language header. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ENGLISH = "en_US"

_LANGUAGES = {"en": ENGLISH, "zh": "zh_Hans", "ja": "ja_JP", "pt": "pt_BR"}
_TAGS = {ENGLISH: "en", "zh_Hans": "zh-Hans", "ja_JP": "ja", "pt_BR": "pt-BR"}
_OTHER_SCRIPT = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")
"""Language tags of Chinese in traditional characters; plugins' texts are in simplified ones."""

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Text:
    """A text and its language, for the attribute `lang` of HTML."""

    text: str
    lang: str

    def __str__(self) -> str:
        return self.text


def languages_of(accepted: str) -> tuple[str, ...]:
    """The plugins' languages that an Accept-Language header contains, the preferred one first. English is always among
    them, last if the header does not name it."""
    weighed = [_weighed(part) for part in accepted[:_MOST].split(",")]
    ordered = sorted((one for one in weighed if one[0] > 0), key=lambda one: -one[0])
    known = [language for _, tag in ordered if (language := _language(tag)) is not None]
    return tuple(dict.fromkeys([*known, ENGLISH]))


def pick(texts: Mapping[str, str], languages: Sequence[str]) -> Text | None:
    """The text in the first of `languages` for which there is one; None if there is none."""
    for language in languages:
        if texts.get(language):
            return Text(texts[language], _TAGS[language])
    return None


def _weighed(part: str) -> tuple[float, str]:
    tag, _, weight = part.partition(";")
    name, _, value = weight.strip().partition("=")
    try:
        return (float(value) if name.strip() == "q" else 1.0), tag.strip().lower()
    except ValueError:
        return 0.0, tag


def _language(tag: str) -> str | None:
    return None if tag.startswith(_OTHER_SCRIPT) else _LANGUAGES.get(tag.partition("-")[0])
