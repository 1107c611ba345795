"""Options that belong together as dataclasses, so that a command takes a few groups instead of thirty parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of its parameters that are dataclasses; it is called with these.

    Args:
        command: A function as Typer takes it, but for such parameters. Their fields are annotated as options are.

    Returns:
        The function for Typer.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @wraps(command)
    def flat(**given: Any) -> None:
        whole = {
            name: group(**{each.name: given.pop(each.name) for each in fields(group)}) for name, group in groups.items()
        }
        command(**whole, **given)

    def options() -> Iterator[inspect.Parameter]:
        for name, parameter in inspect.signature(command).parameters.items():
            if name not in groups:
                yield parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[name])
                continue
            types = get_type_hints(groups[name], include_extras=True)
            for each in fields(groups[name]):
                default = parameter.empty if each.default is MISSING else each.default
                yield inspect.Parameter(each.name, parameter.KEYWORD_ONLY, default=default, annotation=types[each.name])

    flat.__signature__ = inspect.Signature([*options()])  # type: ignore[attr-defined]
    flat.__annotations__ = {}
    return flat
