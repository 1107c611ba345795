"""The address of the records' database, as settings give it."""

from __future__ import annotations

from importlib.util import find_spec

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def database_url(given: str) -> URL:
    """Read a database's address.

    Args:
        given: `sqlite:///path/file.db` or `postgresql://user:password@host/name`, with or without a driver's name.

    Returns:
        The address with the driver that is used here.

    Raises:
        ValueError: If it is no such address; the message holds nothing of it, since it may hold a password.
    """
    try:
        url = make_url(given)
    except ArgumentError:
        raise ValueError("must be an address such as sqlite:///var/records.db or postgresql://host/name") from None
    kind = url.get_backend_name()
    if kind not in _DRIVERS:
        raise ValueError("must begin with sqlite:// or postgresql://")
    if kind != "sqlite" and find_spec("psycopg") is None:
        raise ValueError("needs PostgreSQL's driver: pip install 'trustvqa[postgres]'")
    if kind == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("must name a file: what is kept in memory is lost with the process")
    return url.set(drivername=_DRIVERS[kind])
