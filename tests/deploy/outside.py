"""A host beyond this machine, made of a network namespace: the way there goes through the engine's rules.

Needs root and the `ip` command, and leaves nothing behind.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.waiting import wait_until

# From the block that is set aside for measuring networks (RFC 2544): no real network has it.
_HERE, THERE, PORT = "198.19.254.1", "198.19.254.2", 8000
_SERVE = (
    "import socket, sys\ns = socket.create_server((sys.argv[1], int(sys.argv[2])))\nwhile True: s.accept()[0].close()\n"
)


def why_not() -> str | None:
    """The reason why there can be no such host here, or None where there can."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    return None if shutil.which("ip") else "there is no ip command"


@contextmanager
def outside() -> Iterator[None]:
    """Let somebody answer at THERE, port PORT, until the block ends."""
    name = f"tvqa{secrets.token_hex(3)}"
    near, far = f"{name}a", f"{name}b"

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    def answers() -> bool:
        try:
            socket.create_connection((THERE, PORT), timeout=1).close()
        except OSError:
            return False
        return True

    server = None
    ip("netns", "add", name)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        ip("address", "add", f"{_HERE}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-netns", name, "address", "add", f"{THERE}/30", "dev", far)
        ip("-netns", name, "link", "set", far, "up")
        ip("-netns", name, "route", "add", "default", "via", _HERE)
        command = ["ip", "netns", "exec", name, sys.executable, "-c", _SERVE, THERE, str(PORT)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(answers, 30)
        yield
    finally:
        if server is not None:
            server.kill()
            server.wait()
        ip("netns", "delete", name)
