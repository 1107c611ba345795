"""The stack that `trustvqa up` runs on this machine: where its services are, for the commands that ask them.

The file is locked for as long as the stack runs. A lock ends with its process, so that a stack that was killed is never
taken for one that runs.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlsplit, urlunsplit

FILE: Final = Path("var/stack.json")
"""Where `trustvqa up` says what it runs, from the directory that it was started in."""
SERVICES: Final = ("gateway", "policy", "downstream", "trainer")
"""The services, in the order of their ports."""
FIRST_PORT: Final = 8080
_LARGEST = 10_000
_TRIES, _PAUSE_S = 5, 0.05


@contextmanager
def announced(addresses: Mapping[str, str], file: Path = FILE) -> Iterator[None]:
    """Have later commands find the services while the block runs.

    Where the file cannot be written, or another stack runs from this directory, nothing is announced: the services
    work, and commands are given their addresses.

    Args:
        addresses: Service -> base URL.
        file: The file.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        opened = file.open("a+")
    except OSError:
        yield
        return
    with opened:
        if not _locked(opened):
            yield
            return
        opened.truncate(0)
        opened.write(json.dumps(dict(addresses)) + "\n")
        opened.flush()
        try:
            yield
        finally:
            opened.truncate(0)


def running_services(file: Path = FILE) -> dict[str, str]:
    """Read where the services of a running stack are.

    Args:
        file: The file.

    Returns:
        Service -> base URL; empty where no stack runs from this directory.
    """
    try:
        with file.open() as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                found = json.loads(opened.read(_LARGEST))
                return {name: str(found[name]) for name in SERVICES if name in found}
            return {}
    except (OSError, ValueError, TypeError):
        return {}


def default_address(service: str, file: Path = FILE) -> str:
    """Find a service that the command line does not name: of the stack that runs here, or at its usual port.

    Args:
        service: One of `SERVICES`.
        file: The stack's file.

    Example:
        >>> default_address("policy", Path("nowhere.json"))
        'http://127.0.0.1:8081'
    """
    return running_services(file).get(service) or _usual(service)


def as_running(url: str, file: Path = FILE) -> str:
    """Move the usual address of a service on this machine to where the running stack has it; leave any other alone.

    Configuration files name the usual ports, and `make up PORT=9080` takes others.

    Args:
        url: Address of a service, perhaps with a path.
        file: The stack's file.
    """
    parts = urlsplit(url)
    for service, address in running_services(file).items():
        if _server(url) == _usual(service):
            at = urlsplit(address)
            return urlunsplit(parts._replace(scheme=at.scheme, netloc=at.netloc))
    return url


def is_usual(url: str) -> bool:
    """Whether an address is one of the services' usual ones on this machine, which stand in the shipped files.

    Example:
        >>> is_usual("http://localhost:8082/v1"), is_usual("https://models.example/v1")
        (True, False)
    """
    return _server(url) in {_usual(service) for service in SERVICES}


def _server(url: str) -> str:
    """Scheme, host and port of an address; this machine has one name."""
    parts = urlsplit(url)
    host, colon, port = parts.netloc.partition(":")
    return f"{parts.scheme}://{'127.0.0.1' if host.lower() == 'localhost' else host}{colon}{port}"


def _locked(opened: TextIO) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_PAUSE_S)  # a command that looks whether a stack runs has the lock for a moment
        else:
            return True
    return False


def _usual(service: str) -> str:
    return f"http://127.0.0.1:{FIRST_PORT + SERVICES.index(service)}"
