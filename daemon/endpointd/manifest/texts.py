"""Reading texts in several languages. They are only shown in forms, so faults in them are warnings and never errors."""

from endpointd.manifest.fields import Fields
from endpointd.manifest.findings import Severity
from endpointd.manifest.model import I18n
from endpointd.manifest.nodes import Scalar

LANGUAGES = ("en_US", "zh_Hans", "ja_JP", "pt_BR")
UNREAD = ("zh_Hant",)
"""Other languages, whose names are nearly those."""

MAX_TEXT = 1023
"""The most characters of a text in Dify."""


def read_text(fields: Fields, name: str, *, required: bool = False) -> I18n | None:
    """The text under a key; None if it is absent or unusable. Plain text is taken as English."""
    node = fields.node(name)
    if node is None:
        if required:
            fields.missing(Severity.WARNING, name, f"{name}: {{en_US: ...}}")
        return None
    if isinstance(node, Scalar):
        remedy = f"write {name}: and below it en_US: {node.text[:40]}"
        fields.warning(name, "text_plain", "this is plain text, not a text for each language", remedy)
        return I18n(node.text)
    inner = fields.fields(name, Severity.WARNING)
    return None if inner is None else _languages(inner)


def _languages(fields: Fields) -> I18n | None:
    fields.warn_of_misspellings(LANGUAGES, UNREAD)
    english, chinese, japanese, portuguese = (_language(fields, language) for language in LANGUAGES)
    if english is None:
        if fields.node("en_US") is None:
            fields.missing(Severity.WARNING, "en_US", "en_US: and the English text")
        english = chinese or japanese or portuguese
    return None if english is None else I18n(english, chinese, japanese, portuguese)


def _language(fields: Fields, language: str) -> str | None:
    text = fields.loose_text(language)
    if text is not None and len(text) > MAX_TEXT:
        message = f"the text has {len(text)} characters; Dify allows {MAX_TEXT}"
        fields.warning(language, "text_too_long", message, "shorten it")
    return text
