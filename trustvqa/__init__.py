"""The client for programs, the command line and the reports: all that people type and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trustvqa.client import AsyncClient, Client, ClientError, VqaQuestion, VqaResult

__all__ = ["AsyncClient", "Client", "ClientError", "VqaQuestion", "VqaResult"]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: the command's start would take the time of packages that it does not need.
    if name in __all__:
        import trustvqa.client

        return getattr(trustvqa.client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
