"""The few paths of the Kubernetes API that the trainer uses, over real HTTP: strict, and moved along by the test.

It is no cluster: nothing is scheduled. Whatever the API would refuse (an unknown path, query or field, a wrong token,
another media type) is refused here, too, with the API's Status document.
"""

from __future__ import annotations

import copy
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import kubernetes_validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

TOKEN = "a-token"
VERSION = "1.34"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SELECTOR = re.compile(r"([A-Za-z0-9./_-]+)=([A-Za-z0-9._-]*)")


class RefusedError(Exception):
    """An error of the API."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class KubeApi:
    """A namespace's Jobs and pods.

    Args:
        namespace: The only one there is.
    """

    def __init__(self, namespace: str = "trustvqa") -> None:
        self.namespace = namespace
        self.token = TOKEN
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, list[tuple[datetime, str]]] = {}
        self.asked: list[tuple[str, str]] = []
        """(verb, resource), as a Role names them."""
        self.refused: list[str] = []
        self.deletions: list[dict[str, Any]] = []
        self.reads_until_removed = 2
        self.failing = 0
        """How many of the next requests are answered 503."""
        jobs, pods = "/apis/batch/v1/namespaces/{namespace}/jobs", "/api/v1/namespaces/{namespace}/pods"
        self.app = Starlette(
            routes=[
                Route(jobs, self._route(self._create, "create", "jobs"), methods=["POST"]),
                Route(f"{jobs}/{{name}}", self._route(self._get, "get", "jobs"), methods=["GET"]),
                Route(f"{jobs}/{{name}}", self._route(self._delete, "delete", "jobs"), methods=["DELETE"]),
                Route(pods, self._route(self._list_pods, "list", "pods"), methods=["GET"]),
                Route(f"{pods}/{{name}}/log", self._route(self._read_log, "get", "pods/log"), methods=["GET"]),
            ]
        )

    # --- What the cluster's controllers and nodes would do ------------------------------------------------------------

    def pod(self, job: str, phase: str = "Running", **status: Any) -> str:
        """Make a Job's pod."""
        owner = self.jobs[job]
        name = f"{job}-{uuid.uuid4().hex[:5]}"
        template = copy.deepcopy(owner["spec"]["template"])
        template["metadata"].setdefault("labels", {})["batch.kubernetes.io/job-name"] = job
        template["metadata"] |= {
            "name": name,
            "namespace": self.namespace,
            "creationTimestamp": _now(),
            "ownerReferences": [{"kind": "Job", "name": job, "uid": owner["metadata"]["uid"], "controller": True}],
        }
        self.pods[name] = template | {"status": {"phase": phase, **status}}
        self.logs[name] = []
        return name

    def say(self, pod: str, text: str, when: datetime | None = None) -> None:
        """Write a line to a pod's log."""
        self.logs[pod].append((when or datetime.now(UTC), text))

    def end(self, job: str, code: int = 0, reason: str = "", message: str = "", conditions: bool = True) -> None:
        """End a Job's pods, and then the Job."""
        ended = {"exitCode": code, "reason": reason or ("Error" if code else "Completed"), "message": message}
        for pod in self._pods_of(job):
            pod["status"] = {
                "phase": "Failed" if code else "Succeeded",
                "containerStatuses": [{"name": "trainer", "state": {"terminated": ended}}],
            }
        if conditions:
            words = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
            kind = {"type": "Failed", **words} if code else {"type": "Complete"}
            self.jobs[job]["status"] = {"conditions": [{**kind, "status": "True"}]}

    def _pods_of(self, job: str) -> list[dict[str, Any]]:
        uid = self.jobs[job]["metadata"]["uid"]
        return [pod for pod in self.pods.values() if pod["metadata"]["ownerReferences"][0]["uid"] == uid]

    # --- The API ------------------------------------------------------------------------------------------------------

    def _route(self, handler: Any, verb: str, resource: str) -> Any:
        async def answer(request: Request) -> Response:
            try:
                if self.failing:
                    self.failing -= 1
                    raise RefusedError(
                        503, "ServiceUnavailable", "the server is currently unable to handle the request"
                    )
                if request.headers.get("authorization", "").lower() != f"bearer {self.token}":
                    raise RefusedError(401, "Unauthorized", "Unauthorized")
                self.asked.append((verb, resource))
                if request.path_params["namespace"] != self.namespace:
                    raise RefusedError(403, "Forbidden", f"{resource} is forbidden in this namespace")
                result: Response = await handler(request)
                return result
            except RefusedError as error:
                self.refused.append(str(error))
                status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": error.status}
                status |= {"reason": error.reason, "message": str(error)}
                return JSONResponse(status, status_code=error.status)

        return answer

    async def _create(self, request: Request) -> Response:
        _only(request, "fieldValidation")
        body = await _json(request)
        if request.query_params.get("fieldValidation") != "Strict":
            raise RefusedError(400, "BadRequest", "the test expects strict validation")
        try:
            kubernetes_validate.validate(body, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise RefusedError(400, "BadRequest", f"strict decoding error: {error.message}") from error
        name = body["metadata"]["name"]
        if body["kind"] != "Job" or body["metadata"].get("namespace") != self.namespace:
            raise RefusedError(400, "BadRequest", "the object does not match the path")
        if not _DNS_LABEL.fullmatch(name):
            raise RefusedError(422, "Invalid", f'Job.batch "{name}" is invalid: metadata.name')
        if name in self.jobs:
            raise RefusedError(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
        body["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now()}
        self.jobs[name] = body | {"status": {}}
        return JSONResponse(self.jobs[name], status_code=201)

    async def _get(self, request: Request) -> Response:
        _only(request)
        job = self._job(request)
        if job["metadata"].get("deletionTimestamp"):
            job["reads"] = job.get("reads", 0) + 1
            if job["reads"] > self.reads_until_removed:
                self._remove(job)
                job = self._job(request)
        return JSONResponse({name: value for name, value in job.items() if name != "reads"})

    async def _delete(self, request: Request) -> Response:
        _only(request)
        options = await _json(request)
        self.deletions.append(options)
        known = {"apiVersion", "kind", "propagationPolicy", "preconditions", "gracePeriodSeconds"}
        if set(options) - known or options.get("kind") != "DeleteOptions":
            raise RefusedError(400, "BadRequest", "these are no DeleteOptions")
        if options.get("propagationPolicy") not in {"Foreground", "Background", "Orphan"}:
            raise RefusedError(422, "Invalid", "propagationPolicy")
        job = self._job(request)
        wanted = options.get("preconditions", {}).get("uid")
        if wanted not in {None, job["metadata"]["uid"]}:
            raise RefusedError(409, "Conflict", "the UID in the precondition does not match the UID in record")
        if options["propagationPolicy"] == "Foreground":
            job["metadata"] |= {"deletionTimestamp": _now(), "finalizers": ["foregroundDeletion"]}
        else:
            self._remove(job)
        return JSONResponse(job)

    async def _list_pods(self, request: Request) -> Response:
        _only(request, "labelSelector")
        selector = _SELECTOR.fullmatch(request.query_params.get("labelSelector", ""))
        if selector is None:
            raise RefusedError(400, "BadRequest", "unable to parse requirement")
        label, value = selector.groups()
        items = [pod for pod in self.pods.values() if pod["metadata"]["labels"].get(label) == value]
        return JSONResponse({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _read_log(self, request: Request) -> Response:
        _only(request, "container", "timestamps", "sinceTime")
        name = request.path_params["name"]
        if name not in self.pods:
            raise RefusedError(404, "NotFound", f'pods "{name}" not found')
        pod = self.pods[name]
        container = request.query_params.get("container")
        if container not in {each["name"] for each in pod["spec"]["containers"]}:
            raise RefusedError(400, "BadRequest", f"container {container} is not valid for pod {name}")
        if pod["status"]["phase"] == "Pending":
            raise RefusedError(400, "BadRequest", f'container "{container}" is waiting to start: ContainerCreating')
        if request.query_params.get("timestamps") != "true":
            raise RefusedError(400, "BadRequest", "the test expects timestamps")
        since = request.query_params.get("sinceTime")
        lines = self.logs[name]
        if since is not None:
            moment = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            lines = [line for line in lines if line[0] >= moment]
        return PlainTextResponse("".join(f"{when:%Y-%m-%dT%H:%M:%S.%f}000Z {text}\n" for when, text in lines))

    def _job(self, request: Request) -> dict[str, Any]:
        name = request.path_params["name"]
        if name not in self.jobs:
            raise RefusedError(404, "NotFound", f'jobs.batch "{name}" not found')
        return self.jobs[name]

    def _remove(self, job: dict[str, Any]) -> None:
        for pod in self._pods_of(job["metadata"]["name"]):
            del self.pods[pod["metadata"]["name"]]
        del self.jobs[job["metadata"]["name"]]


def _only(request: Request, *known: str) -> None:
    if unknown := set(request.query_params) - set(known):
        raise RefusedError(400, "BadRequest", f"unknown query parameters {sorted(unknown)}")


async def _json(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise RefusedError(415, "UnsupportedMediaType", "only application/json is understood")
    body = await request.json()
    return dict(body)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
