"""A question to the gateway, sent again while that is busy or away: under one key, so that it is one question."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import stamina

_TRIED_AGAIN = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 4.0
_MOST_TRIES = 50
_PATIENCE_S, _CONNECT_S = 20.0, 2.0


def put_question(
    http: httpx.Client,
    fields: Mapping[str, Any],
    image: bytes,
    *,
    name: str = "image",
    patience_s: float | None = None,
    timeout_s: float = 60.0,
    before_again: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> httpx.Response:
    """Ask until there is an answer, or a refusal that asking again would not change.

    A gateway that dies with the question may have recorded its answer: asked again under the same Idempotency-Key, the
    question is answered under the same id and has one record.

    Args:
        http: Client whose base URL is the gateway.
        fields: The form's fields beside the image.
        image: The picture's bytes.
        name: Its file name.
        patience_s: How long a gateway that is busy or away is asked again; 0 to ask once. None to ask one that is busy
            again for twenty seconds, and one that cannot be reached not at all.
        timeout_s: Longest wait for one reply.
        before_again: Told why the question is asked again, each time that it is.
        clock: Monotonic seconds.

    Returns:
        The last reply, whatever its status.

    Raises:
        httpx.HTTPError: If there was no reply to the last try.
    """
    give_up_at = clock() + (_PATIENCE_S if patience_s is None else patience_s)
    waits_for_it = patience_s is not None
    timeout = httpx.Timeout(timeout_s, connect=timeout_s if waits_for_it else min(_CONNECT_S, timeout_s))
    headers = {"Idempotency-Key": f'"{uuid.uuid4()}"', "Prefer": f"wait={math.ceil(timeout_s)}"}

    def pause(error: Exception) -> bool | float:
        if clock() >= give_up_at or not isinstance(error, _FailedError | httpx.TransportError):
            return False
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not waits_for_it:
            return False
        wait = error.retry_after if isinstance(error, _FailedError) else None
        if wait is not None and clock() + wait >= give_up_at:
            return False
        before_again(str(error))
        return True if wait is None else wait

    try:
        for attempt in stamina.retry_context(
            on=pause,
            attempts=_MOST_TRIES,
            timeout=None,
            wait_initial=_FIRST_PAUSE_S,
            wait_max=_LONGEST_PAUSE_S,
            wait_jitter=_FIRST_PAUSE_S,
        ):
            with attempt:
                reply = http.post(
                    "/vqa", data=dict(fields), files={"image": (name, image)}, headers=headers, timeout=timeout
                )
                if reply.status_code in _TRIED_AGAIN:
                    raise _FailedError(reply)
                return reply
    except _FailedError as failed:
        return failed.reply
    raise AssertionError("the retry loop returns or raises")


class _FailedError(Exception):
    def __init__(self, reply: httpx.Response) -> None:
        super().__init__(f"it replied with status {reply.status_code}")
        self.reply = reply

    @property
    def retry_after(self) -> float | None:
        given = self.reply.headers.get("Retry-After", "")
        return float(given) if given.isdecimal() else None
