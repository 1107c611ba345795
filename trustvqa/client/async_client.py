"""The client for programs with an event loop."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import anyio.to_thread
import httpx

from trustvqa.client.api_key import key_from_environment
from trustvqa.client.batches import BatchOutcome, BatchRun
from trustvqa.client.errors import ClientError, NotAGatewayError
from trustvqa.client.headers import bearer_header, idempotency_header
from trustvqa.client.pictures import Picture, picture_file
from trustvqa.client.questions import VqaQuestion, Window
from trustvqa.client.results import VqaResult
from trustvqa.client.tokens import BearerToken, TokenProvider
from trustvqa.client.transport.connection import GatewayConnection
from trustvqa.client.transport.patience import Patience

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEADLINE_S: Final = 90.0
"""Seconds for one question by default, further tries included: more than a gateway takes by default."""
BATCH_DEADLINE_S: Final = 1800.0
"""Seconds for one line of a batch by default, which may wait long behind people's questions."""


class AsyncClient:
    """A gateway, for programs with an event loop of asyncio; use it as an asynchronous context manager.

    A gateway that is busy or away is asked again, with growing pauses or after the time that it names, until the
    deadline; always under the same Idempotency-Key, so that a question has one record however often it was sent.

    Args:
        url: The gateway's address; by default $TRUSTVQA_URL, or this machine's port 8080.
        api_key: The API key to show; by default the one in $TRUSTVQA_API_KEY or in the file that
            $TRUSTVQA_API_KEY_FILE names.
        token: An access token to show instead, or a function that gives a fresh one before every request.
        deadline_s: Seconds for one call, further tries included.
        patience_s: Seconds within which a call is tried again; 0 to try once; by default until the deadline.
        transport: How requests are sent, for proxies of a special kind and for tests; httpx's own by default.

    Raises:
        ClientError: If the address is none, the key cannot be read or is none, or both a key and a token are given.

    Example:
        >>> async def main():
        ...     async with AsyncClient("http://127.0.0.1:8080") as client:
        ...         result = await client.ask("knee.png", "Is a fracture to be seen?", ["Yes", "No"])
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
        address = url if url is not None else os.environ.get("TRUSTVQA_URL") or DEFAULT_URL
        if api_key is not None and token is not None:
            raise ClientError("show an API key or a token, not both")
        key = api_key if api_key is not None or token is not None else key_from_environment()
        self.url = address.rstrip("/")
        self._patience = Patience(deadline_s, patience_s)
        try:
            base = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError) as error:
            raise ClientError(f"{address!r} is no address: {error}") from None
        if base.scheme not in ("http", "https") or not base.host or " " in address:
            raise ClientError(f"{address!r} is no address of a gateway: it begins with http:// or https://")
        self._connection = GatewayConnection(
            httpx.AsyncClient(
                base_url=base,
                headers=bearer_header(key),
                auth=None if token is None else BearerToken(token),
                transport=transport,
            )
        )

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def ask(
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
        """Ask a question about a picture.

        Args:
            picture: A path, the bytes or an open file of a picture, a numpy array, a PIL image or a pydicom dataset.
            question: The question, 1 to 4 000 characters.
            options: 2 to 26 texts, or letter -> text; [] for an open question. None leaves it to the question's text:
                lines such as "A: Left" are its options, else it is open.
            method: How the confidence is obtained; by default the gateway's own.
            max_risk: Largest accepted share of errors among the answers given, in [0, 1].
            coverage: Rate at which the option set is to hold the right option, in (0, 1).
            groups: What is known of the question, such as {"modality": "CT"}.
            frame: The frame of a DICOM object, from 1; by default the middle one.
            window: The name of one of a DICOM object's own windows, or centre and width in its own units; by default
                its first.
            idempotency_key: 16 to 128 visible ASCII characters under which the question is the same one, if it is
                asked again by another call; by default it is a new one.
            deadline_s: Seconds for this call; by default the client's.
            try_s: Longest time for one of its tries, in seconds; the gateway is told, and gives up in time.
            away_s: Seconds within which it is tried again where no connection can be made.
            on_retry: Told why the gateway is asked again, each time that it is.
            failed: How a try of the same request failed that was made before: it counts as the first one.

        Returns:
            The result; its `answer` is None where the question is left to a person.

        Raises:
            UnusablePictureError: If the picture cannot be sent.
            ClientError: If a text holds bytes that are no text, or the key is none; nothing was asked.
            ProblemError: If the gateway refused.
            DeadlineError, GatewayUnreachableError, NotAGatewayError: If there was no good reply.
        """
        asked = VqaQuestion(picture, question, options, None, method, max_risk, coverage, groups or {}, frame, window)
        file = await anyio.to_thread.run_sync(picture_file, picture)
        whole_s = self._patience.deadline_s if deadline_s is None else deadline_s
        reply = await self._connection.json(
            "POST",
            "/vqa",
            Patience(whole_s, self._patience.again_s, try_s, away_s=away_s, noted=on_retry, failed=failed),
            data=asked.form(),
            files={"image": ("image", file, "application/octet-stream")},
            headers=idempotency_header(idempotency_key or str(uuid.uuid4())),
        )
        try:
            return VqaResult.from_reply(reply)
        except (ValueError, TypeError, AttributeError):
            raise NotAGatewayError("the reply is not what a TrustVQA gateway says") from None

    def batch(
        self,
        questions: Iterable[VqaQuestion] | AsyncIterable[VqaQuestion],
        *,
        key: str | None = None,
        concurrency: int = 16,
        deadline_s: float = BATCH_DEADLINE_S,
    ) -> AsyncGenerator[BatchOutcome, None]:
        """Ask many questions; the gateway answers them after what people ask meanwhile.

        Only so many are taken from the iterator as are under way, so that it may be endless.

        Args:
            questions: The questions, each with an id of its own or none.
            key: 16 to 128 visible ASCII characters. Under the same key, within a day, questions of the same ids get
                the answers that were recorded, and no model is asked again; by default it is a new one.
            concurrency: Questions under way at once, 1 to 64.
            deadline_s: Seconds for one question, further tries included.

        Yields:
            An outcome a question, in the order in which they are done: a result, or the error that it came to.

        Raises:
            ProblemError: If the gateway refuses the batch as a whole, for instance its key.
            ClientError: If the key is not of visible ASCII characters.
            ValueError: If concurrency is out of range.
        """
        run = BatchRun(self._connection, key or str(uuid.uuid4()), concurrency, deadline_s)
        return run.outcomes(questions)

    async def give_feedback(
        self,
        answer_id: str,
        *,
        who: str,
        right: bool | None = None,
        correct_option: str | None = None,
        comment: str | None = None,
    ) -> Mapping[str, Any]:
        """Give feedback on whether an answer was right; calibration is watched, and improved, by what people say.

        Args:
            answer_id: The result's `id`.
            who: The person or system that says it.
            right: Whether the model's choice was right; this or `correct_option`.
            correct_option: Letter of the right option.
            comment: Up to 2 000 characters.

        Returns:
            The feedback as it is kept.

        Raises:
            ProblemError: If it is not taken; `UnknownRecordError` if there is no such answer.
        """
        said = {"who": who, "right": right, "correct_option": correct_option, "comment": comment}
        body = {name: value for name, value in said.items() if value is not None}
        # Not twice: each is kept beside the ones before.
        patience = Patience(self._patience.deadline_s, self._patience.again_s, repeatable=False)
        return _object(await self._connection.json("POST", f"/vqa/{answer_id}/feedback", patience, json=body))

    async def record(self, answer_id: str) -> Mapping[str, Any]:
        """Look up what is kept of an answer, feedback included; it takes a key with the scope admin."""
        return await self._get(f"/vqa/{answer_id}")

    async def about(self) -> Mapping[str, Any]:
        """List what the gateway offers: `models`, `methods`, `default_method`, `limits`, and what holds by default."""
        return await self._get("/v1/about")

    async def calibration(self) -> Mapping[str, Any]:
        """Report how calibrated confidence holds on the answers that people have reviewed, and the alarms."""
        return await self._get("/calibration.json")

    async def calibrators(self) -> Mapping[str, Any]:
        """List the calibrators of the registry and which are live; it takes a key with the scope admin."""
        return await self._get("/v1/calibrators")

    async def _get(self, path: str) -> Mapping[str, Any]:
        return _object(await self._connection.json("GET", path, self._patience))


def _object(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise NotAGatewayError("the reply is not what a TrustVQA gateway says")
    return found
