"""A session of requests with a deadline and a bound on replies, which the library itself has not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from services.common.pacs.errors import ArchiveAwayError, ArchiveRefusedError

_CHUNK = 1 << 18
_CONNECT_S = 5.0


class BoundedSession(requests.Session):
    """Sends requests whose replies are whole within a deadline, or not at all; follows no redirect.

    Args:
        deadline_s: Longest time for a reply, in seconds.
        max_bytes: Largest reply.
        clock: Monotonic seconds.
    """

    def __init__(self, deadline_s: float, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._deadline_s = deadline_s
        self._max_bytes = max_bytes
        self._clock = clock
        # The environment's proxies and .netrc are not for an archive.
        self.trust_env = False
        # A few compressed bytes may be a great many.
        self.headers["Accept-Encoding"] = "identity"

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and read the whole reply.

        Raises:
            ArchiveAwayError: If there is none in time.
            ArchiveRefusedError: If it is too large.
        """
        until = self._clock() + self._deadline_s
        wait_s = min(self._deadline_s, _CONNECT_S), self._deadline_s
        options |= {"stream": True, "timeout": wait_s, "allow_redirects": False}
        try:
            response = super().send(request, **options)
            with response:
                body = bytearray()
                # What is there, as it comes: a whole chunk of what dribbles in could take for ever.
                while chunk := response.raw.read1(_CHUNK, decode_content=True):
                    body += chunk
                    if len(body) > self._max_bytes:
                        raise ArchiveRefusedError(f"the archive's reply has more than {self._max_bytes} bytes")
                    if self._clock() > until:
                        raise ArchiveAwayError(f"no whole reply within {self._deadline_s:g} s")
        except (requests.RequestException, HTTPError, OSError) as error:
            raise ArchiveAwayError(f"the archive cannot be reached ({type(error).__name__})") from error
        # As requests does itself for a reply that is not streamed.
        response._content, response._content_consumed = bytes(body), True
        return response
