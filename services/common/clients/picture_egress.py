"""The bounds on where pictures may be sent: to no host beyond this machine and its neighbours, unless it is named.

Pictures with text in their pixels, which may be a patient's name, have a bound of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from prompt4trust.prompts import Message
from services.common.address import host_of
from services.common.clients.errors import PictureEgressRefusedError
from services.common.settings import LOOPBACK

# Begins with a letter: 3405803781 and 0xcb007105 are addresses, and so is what holds colons.
_NEIGHBOUR = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")

Reach = Literal["never", "near", "always"]
"""For which hosts something is done: for none, for those that are near, for all."""


def is_near(host: str) -> bool:
    """Whether a host is this machine, or has a plain name as services have that run next to each other."""
    return host in LOOPBACK or bool(_NEIGHBOUR.fullmatch(host))


def reaches(reach: Reach, host: str) -> bool:
    """Whether something that is done for hosts within a reach is done for this one."""
    return reach == "always" or (reach == "near" and is_near(host))


def may_see_text(url: str, named: frozenset[str]) -> bool:
    """Whether pictures that hold text, or may, are prepared for a server.

    Everybody who prepares pictures for a model asks here: a prepared picture no longer says what it holds.

    Args:
        url: The server's address.
        named: Hosts that may receive such pictures although they are not near.

    Example:
        >>> may_see_text("http://downstream:8082/v1", frozenset())
        True
        >>> may_see_text("https://models.example/v1", frozenset())
        False
    """
    host = host_of(url) or ""
    return is_near(host) or host in named


class PictureEgress:
    """Permission to send pictures to one host.

    Args:
        host: The host.
        allowed: Hosts that may receive pictures although they are not near.
    """

    def __init__(self, host: str, allowed: frozenset[str]) -> None:
        # A plain name is a compose or cluster service next door; a picture for any other host is data leaving.
        self._open = is_near(host) or host in allowed
        self._host = host

    def check(self, messages: Sequence[Message]) -> None:
        """Let messages pass.

        Raises:
            PictureEgressRefusedError: If one holds a picture, and the host may not receive any.
        """
        if not self._open and any(_has_picture(message) for message in messages):
            raise PictureEgressRefusedError(
                f"pictures may not be sent to {self._host}: name it in egress_hosts to allow this"
            )


def _has_picture(message: Message) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "image_url" for part in content)
