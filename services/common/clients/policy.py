"""The policy service: calibration guidance prompts for a question."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from prompt4trust.models import Cost, Guidance, TransportError
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings
from services.common.clients.transport import post_json

SERVICE = "policy"


class PolicyClient:
    """Asks the policy; implements prompt4trust's Policy protocol.

    Args:
        http: Pool whose base URL is the policy service's; the caller closes it.
        retry: Deadline and retries of one request.
        version: Policy version to ask for, or None for the active one.
    """

    def __init__(self, http: HttpPool, retry: RetrySettings, *, version: str | None = None) -> None:
        self._http = http
        self._retry = retry
        self._version = version

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        """Write one guidance prompt.

        Args:
            question: The question's text.
            options: Letter -> text.
            seed: None decodes greedily; a seed samples at temperature 1.

        Returns:
            The prompt, the version that wrote it and its cost.

        Raises:
            TransportError: If the policy could not be asked or its reply holds no prompt.
        """
        body: dict[str, Any] = {"question": question, "options": dict(options)}
        if self._version is not None:
            body["version"] = self._version
        if seed is not None:
            body |= {"temperature": 1.0, "seed": seed}
        started = time.perf_counter()
        reply = await post_json(self._http, SERVICE, "v1/cgp", body, self._retry)
        try:
            usage = reply.get("usage") or {}
            return Guidance(
                text=str(reply["prompts"][0]["text"]),
                version=str(reply["version"]),
                cost=Cost(
                    1,
                    int(usage.get("prompt_tokens", 0)),
                    int(usage.get("completion_tokens", 0)),
                    time.perf_counter() - started,
                ),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise TransportError(SERVICE, "its reply holds no guidance prompt", status=200) from error
