"""Scopes of tokens, SMART on FHIR's among them, and the rights that they give here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from services.common.auth.key import Right

MOST_SCOPES: Final = 200
"""Scopes of a token that are looked at."""

# HL7 SMART App Launch 2.2: <context>/<resource>.<c?r?u?d?s?>, and version 1's .read, .write and .*
_SMART: Final = re.compile(r"(patient|user|system)/([A-Za-z]+|\*)\.(c?r?u?d?s?|read|write|\*)", re.ASCII)
_OLD: Final = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True)
class SmartScope:
    """A scope of SMART on FHIR.

    Attributes:
        context: "patient", "user" or "system".
        resource: A type of resources, or "*" for all.
        actions: Of "cruds", those that it allows.
    """

    context: str
    resource: str
    actions: frozenset[str]

    @classmethod
    def read(cls, text: str) -> SmartScope | None:
        """Read a scope; None where it is none of SMART's.

        One with a query (`?category=...`) is left out: it allows less than it would seem without.

        Example:
            >>> SmartScope.read("user/Observation.read") == SmartScope.read("user/Observation.rs")
            True
        """
        match = _SMART.fullmatch(text)
        if match is None or not match[3]:
            return None
        return cls(match[1], match[2], frozenset(_OLD.get(match[3], match[3])))

    def covers(self, other: SmartScope) -> bool:
        """Whether whoever has this one has the other as well."""
        return (
            self.context == other.context and self.resource in ("*", other.resource) and self.actions >= other.actions
        )


@dataclass(frozen=True)
class ScopeTable:
    """Rights that scopes give.

    Attributes:
        rows: Scope -> rights. One of SMART's is given by every scope that covers it.

    Example:
        >>> ScopeTable({"user/ImagingStudy.rs": frozenset({Right.ASK})}).rights(["openid", "user/*.cruds"])
        frozenset({<Right.ASK: 'ask'>})
    """

    rows: Mapping[str, frozenset[Right]]

    @cached_property
    def _smart(self) -> tuple[tuple[SmartScope, frozenset[Right]], ...]:
        read = ((SmartScope.read(scope), rights) for scope, rights in self.rows.items())
        return tuple((scope, rights) for scope, rights in read if scope is not None)

    def rights(self, scopes: Iterable[str]) -> frozenset[Right]:
        """Give the rights of whoever has these scopes; the first MOST_SCOPES count."""
        found: set[Right] = set()
        for _, text in zip(range(MOST_SCOPES), scopes, strict=False):
            found |= self.rows.get(text, frozenset())
            if (held := SmartScope.read(text)) is not None:
                found |= {right for scope, rights in self._smart if held.covers(scope) for right in rights}
        return frozenset(found)


def scopes_in(claims: Mapping[str, Any]) -> list[str]:
    """List the scopes of a token's claims: `scope` (RFC 8693), or `scp` as some issuers write it; texts or lists.

    Example:
        >>> scopes_in({"scope": "openid trustvqa:ask"})
        ['openid', 'trustvqa:ask']
    """
    found: list[str] = []
    for name in ("scope", "scp"):
        given = claims.get(name)
        if isinstance(given, str):
            found += given.split(" ")
        elif isinstance(given, list):
            found += [each for each in given if isinstance(each, str)]
    return [each for each in found if each]
