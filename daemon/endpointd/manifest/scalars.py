"""Converts single YAML values by PyYAML's rules, without the tags that create Python objects."""

from collections.abc import Callable, Mapping

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from endpointd.manifest.findings import shown
from endpointd.manifest.nodes import Plain

_CORE = "tag:yaml.org,2002:"
# A bare `<<` and `=` resolve to `merge` and `value`; except as keys they are only text.
_TEXT_TAGS = frozenset({f"{_CORE}str", f"{_CORE}merge", f"{_CORE}value"})
# The exceptions of PyYAML's constructors for text that does not fit its tag.
_MISFITS = (ValueError, AttributeError, LookupError, OverflowError, yaml.YAMLError)


class UnreadableScalar(Exception):
    """The text is not a valid value of the type that its tag or its form says."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy


class ScalarReader:
    """Reads the scalars of one document."""

    def __init__(self) -> None:
        self._resolver = Resolver()
        make = SafeConstructor()
        self._readers: Mapping[str, Callable[[yaml.ScalarNode], Plain]] = {
            f"{_CORE}null": make.construct_yaml_null,
            f"{_CORE}bool": make.construct_yaml_bool,
            f"{_CORE}int": make.construct_yaml_int,
            f"{_CORE}float": make.construct_yaml_float,
            f"{_CORE}timestamp": make.construct_yaml_timestamp,
        }

    def read(self, tag: str | None, text: str, implicit: tuple[bool, bool]) -> Plain:
        """The value of one scalar. `tag` and `implicit` are as the parser reports them. Raises `UnreadableScalar`."""
        if tag is None or tag == "!":
            tag = self._resolver.resolve(yaml.ScalarNode, text, implicit)  # type: ignore[no-untyped-call]
        if tag in _TEXT_TAGS:
            return text
        reader = self._readers.get(tag)
        if reader is None:
            raise UnreadableScalar("yaml_tag", f"the tag {shown(tag)} is not for a plugin's YAML", "remove the tag")
        try:
            return reader(yaml.ScalarNode(tag, text))
        except _MISFITS:
            kind = tag.removeprefix(_CORE)
            message = f"{shown(text)} looks like YAML's {kind} and is none"
            raise UnreadableScalar("yaml_value", message, "write it in quotes if it is text") from None
