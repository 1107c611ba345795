"""Replies as dataclasses, checked field by field.

Not by pydantic: its models are made when their module is imported, which takes longer than all of this, and a command
that asks one question reads one reply.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class UnreadableReplyError(ValueError):
    """A reply is not what it is read as; the message names the field."""


def read(kind: type[T], told: object) -> T:
    """Read an object of JSON as a dataclass; what it has besides is left out.

    Args:
        kind: The dataclass. Its fields' types are texts, numbers, Booleans, literals, other such classes, tuples and
            mappings of these, and unions of any.
        told: The object.

    Raises:
        UnreadableReplyError: If it is none, lacks a field that has no default, or has another type in one.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Choice:
        ...     text: str
        ...     letter: str | None = None
        >>> read(Choice, {"text": "Oval", "more": 1})
        Choice(text='Oval', letter=None)
    """
    if not isinstance(told, Mapping):
        raise UnreadableReplyError(f"{kind.__name__} is no object")
    found = {}
    hashable: Any = kind
    for name, wanted, is_needed in _fields(hashable):
        if name in told:
            found[name] = _value(wanted, told[name], f"{kind.__name__}.{name}")
        elif is_needed:
            raise UnreadableReplyError(f"{kind.__name__}.{name} is missing")
    return kind(**found)


@cache
def _fields(kind: type[Any]) -> list[tuple[str, Any, bool]]:
    hints = get_type_hints(kind)
    return [
        (each.name, hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    ]


def _value(wanted: Any, value: Any, name: str) -> Any:
    origin, inner = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return value
    if origin in (Union, types.UnionType):
        return _one_of(inner, value, name)
    if origin is Literal and value in inner:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return _items(inner, value, name)
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {str(key): _value(inner[1], each, f"{name}.{key}") for key, each in value.items()}
    if origin is None and is_dataclass(wanted) and isinstance(wanted, type):
        return read(wanted, value)
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, name)
    # A Boolean is a number to Python, and none here.
    if origin is None and isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    raise UnreadableReplyError(f"{name} is no {getattr(wanted, '__name__', wanted)}")


def _number(value: float, name: str) -> float:
    # JSON's numbers know no bounds, and Python's reader of it takes NaN.
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise UnreadableReplyError(f"{name} is no finite number")
    return found


def _one_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    left = [kind for kind in kinds if kind is not types.NoneType]
    for kind in left[:-1]:
        try:
            return _value(kind, value, name)
        except UnreadableReplyError:
            continue
    return _value(left[-1], value, name)


def _items(kinds: tuple[Any, ...], values: list[Any] | tuple[Any, ...], name: str) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_value(kinds[0], each, name) for each in values)
    if len(kinds) != len(values):
        raise UnreadableReplyError(f"{name} has {len(values)} values")
    return tuple(_value(kind, each, name) for kind, each in zip(kinds, values, strict=True))
