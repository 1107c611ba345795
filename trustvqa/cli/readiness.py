"""Dependencies that a service lacks, by its reply of /health/ready."""

from __future__ import annotations

from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Missing:
    """A dependency that a service lacks.

    Attributes:
        name: What the service calls it.
        is_required: Whether the service is not ready without it.
        detail: What the service says of it; "away" where that is nothing.
    """

    name: str
    is_required: bool
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


def missing_of(reply: httpx.Response) -> list[Missing]:
    """List the dependencies that a service lacks.

    Args:
        reply: Its /health/ready, ready or not.

    Raises:
        ValueError: If no service of this project replies like that.

    Example:
        >>> said = {"dependencies": {"model": {"ok": False, "required": True, "detail": ""}}}
        >>> [str(each) for each in missing_of(httpx.Response(503, json=said))]
        ['model: away']
    """
    try:
        found = reply.json()["dependencies"]
        lacking = {name: each for name, each in found.items() if not each["ok"]}
        return [Missing(name, bool(each["required"]), each["detail"] or "away") for name, each in lacking.items()]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no readiness: {error!r}") from None
