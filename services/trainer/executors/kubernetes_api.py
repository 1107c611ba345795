"""Requests of the kubernetes executor to a cluster, by the official client."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import stamina

from services.trainer.errors import ClusterError, ExecutorError, UnreachableError
from services.trainer.executors.kubernetes_settings import KubernetesSettings

_ATTEMPTS = 3
_PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_Query = Sequence[tuple[str, str]]


class Cluster:
    """Jobs, pods and logs of one namespace. Answers are plain JSON: what a newer cluster adds is in nobody's way.

    Args:
        settings: The executor's settings.
    """

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._client: Any = None
        self._jobs = f"/apis/batch/v1/namespaces/{settings.namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{settings.namespace}/pods"

    async def create(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Make a Job; ClusterError 409 where there is one of its name."""
        # Strict: a field that this cluster does not know would otherwise be dropped without a word.
        return await self._json("POST", self._jobs, [("fieldValidation", "Strict")], job)

    async def job(self, name: str) -> dict[str, Any] | None:
        """Read a Job; None where there is none."""
        try:
            return await self._json("GET", f"{self._jobs}/{name}")
        except ClusterError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def delete(self, name: str, uid: str) -> None:
        """Have a Job removed, its pods first; nothing happens to another one that has got its name."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground",
            "preconditions": {"uid": uid},
        }
        try:
            await self._json("DELETE", f"{self._jobs}/{name}", body=body)
        except ClusterError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    async def pods(self, job: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
        """List a Job's pods.

        Args:
            job: The Job.
            label: A label that Job and pods have in common.
        """
        value = job["metadata"]["labels"][label]
        found = await self._json("GET", self._pods, [("labelSelector", f"{label}={value}")])
        uid = job["metadata"]["uid"]
        # An earlier Job's pods may bear the same label while they go.
        return [
            pod
            for pod in found["items"]
            if any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or ())
        ]

    async def log(self, pod: str, container: str, since: int | None) -> bytes:
        """Read a container's log, every line with its time.

        Args:
            pod: Its pod's name.
            container: Its name.
            since: From when on, in seconds since 1970; None for all of it.

        Returns:
            The log; nothing where there is none yet, or none any more.
        """
        query = [("container", container), ("timestamps", "true")]
        if since is not None:
            query.append(("sinceTime", datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
        try:
            return await self._ask("GET", f"{self._pods}/{pod}/log", query)
        except ClusterError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                return b""  # the container has not started
            raise

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _json(
        self, method: str, path: str, query: _Query = (), body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = json.loads(await self._ask(method, path, query, body))
        return dict(answer)

    async def _ask(self, method: str, path: str, query: _Query = (), body: Mapping[str, Any] | None = None) -> bytes:
        # Repeating is safe: a Job's name and uid say which one is meant.
        async for attempt in stamina.retry_context(
            on=_is_passing, attempts=_ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=2.0, wait_jitter=0.2
        ):
            with attempt:
                status, text = await self._send(method, path, query, body)
                if status == HTTPStatus.UNAUTHORIZED:
                    # The credentials have run out; those of the file, or of the command that it names, may be newer.
                    await self.close()
                    status, text = await self._send(method, path, query, body)
                if status >= HTTPStatus.BAD_REQUEST:
                    raise ClusterError(status, f"the cluster would not {method} {path}: {_message(text, status)}")
        return text

    async def _send(self, method: str, path: str, query: _Query, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        try:
            # Around all of it: reading credentials may run a command, and an answer may stop in its middle.
            async with asyncio.timeout(self._settings.timeout_s):
                client = await self._connected()
                from aiohttp import ClientTimeout  # comes with the official client

                request = await client.param_serialize(
                    method,
                    path,
                    query_params=list(query),
                    header_params={"Accept": "application/json, */*", "Content-Type": "application/json"},
                    body=body,
                    auth_settings=["BearerToken"],
                )
                response = await client.call_api(*request, _request_timeout=ClientTimeout(self._settings.timeout_s))
                return int(response.status), bytes(await response.read())
        except TimeoutError as error:
            raise UnreachableError(f"the cluster did not answer within {self._settings.timeout_s:g} s") from error
        except (OSError, _client_error()) as error:
            raise UnreachableError(f"the cluster cannot be reached: {error}") from error

    async def _connected(self) -> Any:
        if self._client is None:
            try:
                from kubernetes.aio import config
                from kubernetes.aio.client.api_client import ApiClient
                from kubernetes.aio.client.configuration import Configuration
            except ImportError as error:
                raise ExecutorError(
                    "the kubernetes executor needs the official client: pip install 'trustvqa[kubernetes]'"
                ) from error
            configuration = Configuration()
            try:
                if self._settings.kubeconfig is None and self._settings.context is None and _IN_CLUSTER in os.environ:
                    config.load_incluster_config(configuration)
                else:
                    path = self._settings.kubeconfig
                    await config.load_kube_config(
                        config_file=None if path is None else str(path),
                        context=self._settings.context,
                        client_configuration=configuration,
                        persist_config=False,
                    )
            except Exception as error:  # the loader raises whatever a malformed file happens to cause
                raise ExecutorError(f"the cluster's address or credentials cannot be read: {error}") from error
            self._client = ApiClient(configuration)
        return self._client


def _is_passing(error: Exception) -> bool:
    return isinstance(error, UnreachableError) or (isinstance(error, ClusterError) and error.status in _PASSING)


def _client_error() -> type[Exception]:
    try:
        from aiohttp import ClientError
    except ImportError:
        return OSError
    return ClientError


def _message(text: bytes, status: int) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {status}"
