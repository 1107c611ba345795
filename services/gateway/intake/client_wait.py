"""How long a client will wait for its answer."""

from __future__ import annotations

import math
import re
from typing import Final

from starlette.datastructures import Headers

_WAIT: Final = re.compile(r'(?:^|,)\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=[,;]|$)', re.IGNORECASE)


def longest_wait_s(headers: Headers) -> float:
    """Read how long a client will wait for its answer once the request is there: ``Prefer: wait=10`` (RFC 7240, 4.3).

    Args:
        headers: The request's headers.

    Returns:
        Seconds, at least 1; infinity where it does not say, or says something else. As the RFC has it, a preference
        that cannot be read is none, and the first of several counts.

    >>> longest_wait_s(Headers({"Prefer": "respond-async, wait=10"}))
    10.0
    >>> longest_wait_s(Headers({"Prefer": "wait=soon"}))
    inf
    """
    found = _WAIT.search(",".join(headers.getlist("prefer")))
    return max(float(found[1]), 1.0) if found else math.inf
