"""The base class of the entities: made from keywords or a `dict`, and converted back to a `dict`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, ClassVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

MISSING = object()


@dataclass_transform(kw_only_default=True)
class Entity:
    """Fields are the annotations of the class. Other keywords are ignored, as by the official SDK. A `dict` as the
    value of a field that is an entity is converted to that entity."""

    _fields: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: hint for name, hint in get_type_hints(cls).items() if get_origin(hint) is not ClassVar}
        cls._fields = own

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - those of the class
        missing = [name for name in self._fields if name not in values and not hasattr(type(self), name)]
        if missing:
            raise ValueError(f"{type(self).__name__} needs {' and '.join(missing)}")
        for name, hint in self._fields.items():
            value = values.get(name, MISSING)
            if value is MISSING:
                default = getattr(type(self), name)
                value = default.copy() if isinstance(default, dict | list) else default
            setattr(self, name, _convert(value, hint))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def model_dump(self) -> dict[str, Any]:
        """The entity as a `dict` of plain values."""
        return {name: plain(getattr(self, name)) for name in self._fields}

    def model_dump_json(self) -> str:
        return json.dumps(self.model_dump())


def plain(value: Any) -> Any:  # noqa: ANN401 - anything that a plugin may give
    """Convert `value` to what can be sent to the daemon: `dict`, `list`, str, bytes, numbers, None. Raises
    TypeError."""
    if value is None or isinstance(value, str | bool | int | float | bytes):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return plain(dump())
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} cannot be sent to the daemon; give a str, a number, a list or a dict")


def _convert(value: Any, hint: Any) -> Any:  # noqa: ANN401 - one case a kind of type
    """Convert `value` to the type `hint` if that is an entity or an enumeration; return anything else unchanged."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _convert_one_of(value, get_args(hint))
    if origin is list and isinstance(value, list):
        return [_convert(item, get_args(hint)[0]) for item in value]
    if not isinstance(hint, type):
        return value
    if issubclass(hint, Entity) and isinstance(value, Mapping):
        return hint(**value)
    if issubclass(hint, Enum) and not isinstance(value, hint):
        return hint(value)
    return value


def _convert_one_of(value: Any, hints: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if value is None and type(None) in hints:
        return None
    for hint in hints:
        if isinstance(hint, type) and issubclass(hint, Entity) and isinstance(value, Mapping):
            return _convert(value, hint)
        if get_origin(hint) is list and isinstance(value, list):
            return _convert(value, hint)
    return value
