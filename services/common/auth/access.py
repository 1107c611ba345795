"""Rights that routes ask for: declared where a route is, shown in the OpenAPI document, read by the authenticator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastapi.routing
from fastapi import Depends, FastAPI, Security, params
from fastapi.security import HTTPBearer

from services.common.auth.key import Right

# Before FastAPI 0.137, which vLLM is not ready for (see constraints-gpu-trainer.txt), all routes lie side by side.
_flat: Callable[[Iterable[Any]], Iterator[Any]] = getattr(fastapi.routing, "iter_route_contexts", iter)

KEY_SCHEME: Final = "ApiKey"
"""Name of API keys among the security schemes of an OpenAPI document."""

Access = frozenset[Right]
"""Rights that a route asks for, all of them; none for a route that is open to everybody."""

# Never refuses by itself: FastAPI runs dependencies after it has read the body, which is too late. See Authenticator.
_scheme: Final = HTTPBearer(
    scheme_name=KEY_SCHEME,
    description="A key of this deployment, with the scopes that an operation names; or an access token of the issuer "
    "that it trusts, whose scopes stand for these.",
    auto_error=False,
)


def requires(right: Right) -> params.Security:
    """Declare what a route, or all of a router's, ask for: `dependencies=[requires(Right.ASK)]`."""
    declared: params.Security = Security(_scheme, scopes=[right.value])
    return declared


def _open() -> None:
    """Mark a route as open to everybody."""


OPEN: Final[params.Depends] = Depends(_open)
"""Declares that a route is open to everybody."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A route, as far as it matters for who may ask.

    Attributes:
        path: Its pattern, for people.
        regex: The same, for requests.
        methods: HTTP methods that it answers; None for all.
        access: What it asks for.
        declared: Whether the route says so itself; one that says nothing is for administrators.
    """

    path: str
    regex: re.Pattern[str]
    methods: frozenset[str] | None
    access: Access
    declared: bool

    def takes(self, method: str, path: str) -> bool:
        """Whether a request is for this route."""
        return (self.methods is None or method in self.methods) and self.regex.match(path) is not None


def rules_of(app: FastAPI, others: Mapping[str, Access]) -> list[Rule]:
    """List an application's routes in the order in which they are tried.

    Args:
        app: The application, complete.
        others: What routes ask for that are not FastAPI's own and so cannot declare it: path -> access.
    """
    return list(_rules(app, others))


def _rules(app: FastAPI, others: Mapping[str, Access]) -> Iterator[Rule]:
    for route in _flat(app.routes):
        path = route.path or ""
        declared = _declared(getattr(route, "dependencies", ()))
        if declared is None:
            declared = others.get(path)
        methods = getattr(route, "methods", None)
        yield Rule(
            path,
            route.path_regex,
            frozenset(methods) if methods else None,
            frozenset({Right.ADMIN}) if declared is None else declared,
            declared is not None,
        )


def _declared(dependencies: Iterable[Any]) -> Access | None:
    found: set[Right] = set()
    said = False
    for each in dependencies:
        if isinstance(each, params.Security) and each.dependency is _scheme:
            said = True
            found.update(map(Right, each.scopes or ()))
        said = said or each is OPEN
    return frozenset(found) if said else None
