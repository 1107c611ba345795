"""Asks the gateway about an instance, and gets the report on it."""

from __future__ import annotations

import uuid
from typing import Final

import httpx

from services.common.http.problems import TYPE_PREFIX
from services.listener.rules import InstanceRule
from services.listener.state import InstanceJob

_NAMESPACE: Final = uuid.UUID("4dd1c8a1-6c2f-5c7e-9a83-1a0d0c6a9f52")
_REPORT: Final = "application/dicom"
_LATER: Final = frozenset({401, 403, 408, 425, 429, 500, 502, 503, 504})
_MAX_REPORT: Final = 5_000_000


class GatewayAwayError(Exception):
    """The gateway gives no answer now; it may later."""


class QuestionRefusedError(Exception):
    """The gateway will not answer this question; the message is the stable type of its problem document."""


class GatewayClient:
    """A client of the gateway.

    Args:
        http: Its connections, with address, key and deadline.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def report(self, job: InstanceJob, rule: InstanceRule, instance: bytes) -> bytes:
        """Ask, and get the report without patient and study.

        Asked again, the gateway knows the question by its key: the answer has one id and one record, and so has the
        report.

        Args:
            job: The job.
            rule: Its rule.
            instance: The instance as a DICOM file.

        Raises:
            GatewayAwayError: If it gives no answer now.
            QuestionRefusedError: If it never will.
        """
        # The name tells of nobody, as the archive's would.
        files = {"image": ("instance.dcm", instance, _REPORT)}
        headers = {"Accept": _REPORT, "Idempotency-Key": question_key(job)}
        try:
            response = await self._http.post("/vqa", data=dict(rule.fields()), files=files, headers=headers)
        except httpx.HTTPError as error:
            raise GatewayAwayError(type(error).__name__) from error
        if response.is_success and response.headers.get("content-type") == _REPORT:
            if len(response.content) > _MAX_REPORT:
                raise QuestionRefusedError("report-too-large")
            return response.content
        kind = _kind(response)
        if response.is_success or response.status_code in _LATER:
            raise GatewayAwayError(kind)
        raise QuestionRefusedError(kind)


def question_key(job: InstanceJob) -> str:
    """Name the question of a job for the gateway: the same whenever it is asked."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(job.identity)))


def _kind(response: httpx.Response) -> str:
    try:
        found = str(response.json()["type"])
    except (ValueError, KeyError, TypeError):
        return f"status-{response.status_code}"
    return found.removeprefix(TYPE_PREFIX)[:80]
