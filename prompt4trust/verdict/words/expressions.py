"""Regular expressions that are compiled when they are first used.

Replies are read by hundreds of them. To compile them all takes a third of a second, which each process that imports
this package would pay when it starts, though most read no reply, or none in Finnish.
"""

from __future__ import annotations

import re
from typing import Any, cast


def expression(pattern: str, flags: int = 0) -> re.Pattern[str]:
    r"""Make a regular expression that is compiled when it is first used.

    Args:
        pattern: What `re.compile` takes. A fault in it shows at the first use.
        flags: Flags of `re`.

    Returns:
        What can be used as a compiled pattern by its own methods; functions of `re` do not take it,
        and it is not the `re` of its matches.

    Example:
        >>> expression(r"(yes|no)\b", re.IGNORECASE).match("No.")[1]
        'No'
    """
    return cast("re.Pattern[str]", _Uncompiled(pattern, flags))


class _Expression:
    """Stands for a compiled pattern: its methods are attributes, which a plain object answers fastest."""

    pattern: str


class _Uncompiled(_Expression):
    """Takes the attributes of the compiled pattern, and the class of one, once one of them is asked for."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copying looks for
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self._flags)
        for each in _ATTRIBUTES:
            setattr(self, each, getattr(compiled, each))
        self.__class__ = _Expression  # type: ignore[assignment]  # a class with __getattr__ takes longer
        return getattr(self, name)


_ATTRIBUTES = [name for name in dir(re.Pattern) if not name.startswith("_")]
