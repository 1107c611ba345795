"""The client for programs without an event loop: the other one, in a thread of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from trustvqa.client.async_client import BATCH_DEADLINE_S, DEADLINE_S, AsyncClient
from trustvqa.client.batches import BatchOutcome
from trustvqa.client.errors import ClientError
from trustvqa.client.loop_thread import LoopThread
from trustvqa.client.pictures import Picture
from trustvqa.client.questions import VqaQuestion, Window
from trustvqa.client.results import VqaResult
from trustvqa.client.tokens import TokenProvider


class Client:
    """A gateway, for programs and notebooks; use it as a context manager, or close it.

    It does what `AsyncClient` does, which says more of each method. Threads may share it.

    Args:
        url: The gateway's address; by default $TRUSTVQA_URL, or this machine's port 8080.
        api_key: The API key to show; by default the one in $TRUSTVQA_API_KEY or in the file that
            $TRUSTVQA_API_KEY_FILE names.
        token: An access token to show instead, or a function that gives a fresh one before every request.
        deadline_s: Seconds for one call, further tries included.
        patience_s: Seconds within which a call is tried again; 0 to try once; by default until the deadline.
        transport: How requests are sent; httpx's own by default.

    Raises:
        ClientError: If the address is none, or the key cannot be read.

    Example:
        >>> def main():
        ...     with Client("http://127.0.0.1:8080") as client:
        ...         result = client.ask("knee.png", "Is a fracture to be seen?", ["Yes", "No"])
        ...         print(result.answer if result.decision == "answer" else "ask a person")
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        token: str | TokenProvider | None = None,
        deadline_s: float = DEADLINE_S,
        patience_s: float = math.inf,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = AsyncClient(
            url, api_key=api_key, token=token, deadline_s=deadline_s, patience_s=patience_s, transport=transport
        )
        self._thread = LoopThread()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self._client.url

    def close(self) -> None:
        """Close all connections and end the client's thread."""
        self._thread.close_after(self._client.aclose)

    def ask(
        self,
        picture: Picture,
        question: str,
        options: Sequence[str] | Mapping[str, str] | None = None,
        *,
        method: str | None = None,
        max_risk: float | None = None,
        coverage: float | None = None,
        groups: Mapping[str, str] | None = None,
        frame: int | None = None,
        window: Window | None = None,
        idempotency_key: str | None = None,
        deadline_s: float | None = None,
        try_s: float = math.inf,
        away_s: float = math.inf,
        on_retry: Callable[[str], None] = lambda _: None,
        failed: ClientError | None = None,
    ) -> VqaResult:
        """Ask a question about a picture; see `AsyncClient.ask`."""
        return self._thread.run(
            self._client.ask(
                picture,
                question,
                options,
                method=method,
                max_risk=max_risk,
                coverage=coverage,
                groups=groups,
                frame=frame,
                window=window,
                idempotency_key=idempotency_key,
                deadline_s=deadline_s,
                try_s=try_s,
                away_s=away_s,
                on_retry=on_retry,
                failed=failed,
            )
        )

    def batch(
        self,
        questions: Iterable[VqaQuestion],
        *,
        key: str | None = None,
        concurrency: int = 16,
        deadline_s: float = BATCH_DEADLINE_S,
    ) -> Iterator[BatchOutcome]:
        """Ask many questions and give their outcomes as they come; see `AsyncClient.batch`.

        The questions are taken in another thread.
        """
        outcomes = self._client.batch(questions, key=key, concurrency=concurrency, deadline_s=deadline_s)
        return self._thread.iterate(outcomes)

    def give_feedback(
        self,
        answer_id: str,
        *,
        who: str,
        right: bool | None = None,
        correct_option: str | None = None,
        comment: str | None = None,
    ) -> Mapping[str, Any]:
        """Give feedback on whether an answer was right; see `AsyncClient.give_feedback`."""
        said = self._client.give_feedback(
            answer_id, who=who, right=right, correct_option=correct_option, comment=comment
        )
        return self._thread.run(said)

    def record(self, answer_id: str) -> Mapping[str, Any]:
        """Look up what is kept of an answer; see `AsyncClient.record`."""
        return self._thread.run(self._client.record(answer_id))

    def about(self) -> Mapping[str, Any]:
        """List what the gateway offers; see `AsyncClient.about`."""
        return self._thread.run(self._client.about())

    def calibration(self) -> Mapping[str, Any]:
        """Report how calibrated confidence holds; see `AsyncClient.calibration`."""
        return self._thread.run(self._client.calibration())

    def calibrators(self) -> Mapping[str, Any]:
        """List the calibrators; see `AsyncClient.calibrators`."""
        return self._thread.run(self._client.calibrators())
