"""A run as a Kubernetes Job: the manifest, and what the cluster's answers about it mean."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from services.trainer.executors.base import JobState, Launch
from services.trainer.executors.exit_codes import by_signal
from services.trainer.executors.job_environment import (
    FOLDER_LABEL,
    ROLE,
    ROLE_LABEL,
    RUN_LABEL,
    SECRETS_TARGET,
    job_environment,
    relocated,
)
from services.trainer.executors.kubernetes_settings import ClaimMount, KubernetesSettings

CONTAINER = "trainer"
_LONGEST = 63
# Reasons for which a container waits that do not pass without somebody's doing.
_STUCK = {
    "ErrImagePull": "the image cannot be pulled",
    "ImagePullBackOff": "the image cannot be pulled",
    "ErrImageNeverPull": "the image is not on the node and is not to be pulled",
    "InvalidImageName": "the image's name is invalid",
    "CreateContainerConfigError": "the container's configuration is wrong",
    "CreateContainerError": "the container cannot be made",
    "RunContainerError": "the container cannot be started",
}
_NO_POD_S = 60.0


def job_name(run_id: str) -> str:
    """Derive a Job's name from a run's id: a DNS label, which also is a label's value, different for different runs."""
    name = f"trustvqa-{run_id}"
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:10]
    return f"{name[: _LONGEST - 11].rstrip('-')}-{digest}"


def build_job(run: Launch, settings: KubernetesSettings) -> dict[str, Any]:
    """Write a run's Job, which the restricted Pod Security Standard admits.

    Args:
        run: The job.
        settings: The executor's settings.

    Returns:
        The manifest. It is tried once (the run is resumed by whoever asked for it, from its checkpoint).

    Raises:
        ExecutorError: If a secret would have to be told openly.
    """
    labels = {
        "app.kubernetes.io/name": "trustvqa",
        "app.kubernetes.io/component": ROLE,
        RUN_LABEL: run.run_id,
        ROLE_LABEL: ROLE,
    }
    job: dict[str, Any] = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "ttlSecondsAfterFinished": settings.ttl_s,
        "template": {"metadata": {"labels": labels}, "spec": _pod(run, settings)},
    }
    if settings.deadline_s is not None:
        job["activeDeadlineSeconds"] = settings.deadline_s
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(run.run_id),
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {FOLDER_LABEL: str(run.folder)},
        },
        "spec": job,
    }


def _pod(run: Launch, settings: KubernetesSettings) -> dict[str, Any]:
    volumes, mounts = _volumes(settings)
    identity = {"runAsNonRoot": True, "runAsUser": settings.user, "runAsGroup": settings.group}
    gpus = {settings.gpu_resource: str(settings.gpus)} if settings.gpus else {}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": [settings.python, *relocated(run, PurePosixPath(settings.runs.target))],
        "env": [
            {"name": name, "value": value}
            for name, value in job_environment(run.environment, secrets=settings.secret is not None).items()
        ],
        "resources": {
            "requests": {"cpu": settings.cpu, "memory": settings.memory} | gpus,
            "limits": {"memory": settings.memory} | gpus,
        },
        "securityContext": {
            **identity,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": mounts,
        # The end of the log is where a run that failed says why.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if settings.working_dir:
        container["workingDir"] = settings.working_dir
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.grace_s,
        "securityContext": {
            **identity,
            "fsGroup": settings.group,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }
    optional = {
        "serviceAccountName": settings.service_account,
        "runtimeClassName": settings.runtime_class,
        "priorityClassName": settings.priority_class,
        "nodeSelector": dict(settings.node_selector),
        "tolerations": [_without_blanks(each.model_dump()) for each in settings.tolerations],
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
    }
    return pod | {name: value for name, value in optional.items() if value}


def _volumes(settings: KubernetesSettings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    wanted: Sequence[ClaimMount] = (settings.runs, *settings.mounts)
    names = {claim: f"claim-{index}" for index, claim in enumerate(dict.fromkeys(each.claim for each in wanted))}
    volumes: list[dict[str, Any]] = [
        {"name": name, "persistentVolumeClaim": {"claimName": claim}} for claim, name in names.items()
    ]
    mounts = [
        {"name": names[each.claim], "mountPath": each.target}
        | ({"subPath": each.sub_path} if each.sub_path else {})
        | ({"readOnly": True} if each.read_only else {})
        for each in wanted
    ]
    volumes += [
        {"name": "tmp", "emptyDir": {"sizeLimit": settings.tmp}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": settings.shm}},
    ]
    mounts += [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108
    if settings.secret:
        volumes.append({"name": "secrets", "secret": {"secretName": settings.secret, "defaultMode": 0o440}})
        mounts.append({"name": "secrets", "mountPath": SECRETS_TARGET, "readOnly": True})
    return volumes, mounts


def _without_blanks(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


# --- What the cluster says --------------------------------------------------------------------------------------------


def condition(thing: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """Find a condition that holds of a Job or a pod, or None."""
    for each in thing.get("status", {}).get("conditions") or ():
        if each.get("type") == kind and each.get("status") == "True":
            found: Mapping[str, Any] = each
            return found
    return None


def has_ended(job: Mapping[str, Any]) -> bool:
    """Whether a Job is over: its pods have ended, and no other will be made."""
    return condition(job, "Complete") is not None or condition(job, "Failed") is not None


def describe(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], settings: KubernetesSettings) -> JobState:
    """Read a job's state out of the cluster's answers.

    Args:
        job: The Job, as the API gives it.
        pods: Its pods.
        settings: The executor's settings, for the limits in the words.
    """
    pod = max(pods, key=lambda each: str(each["metadata"].get("creationTimestamp", "")), default=None)
    if not has_ended(job):
        if job["metadata"].get("deletionTimestamp"):
            return JobState("running", detail="the job is being removed")
        return JobState("running", detail="suspended" if condition(job, "Suspended") else _waits_for(pod))
    failed = condition(job, "Failed")
    ended = _terminated(pod)
    code = None if ended is None else int(ended["exitCode"])
    if failed is None:
        return JobState("exited", 0 if code is None else code)
    # A pod that was evicted may show no exit status of its own; the Job's words are the last resort.
    words = _end_of(ended, settings) or _said(pod) or ": ".join(filter(None, map(failed.get, ("reason", "message"))))
    return JobState("exited", None if code == 0 else code, _line(words))


def stuck(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], now: datetime) -> tuple[float, str] | None:
    """Find what a Job waits for that will not come by itself.

    Args:
        job: The Job, as the API gives it; one that has not ended.
        pods: Its pods.
        now: The time.

    Returns:
        Seconds since it began, and why it waits; None where it runs, or waits for what is on its way.
    """
    if condition(job, "Suspended") or job["metadata"].get("deletionTimestamp"):
        return None
    # One that was suspended for a while began anew.
    since = job.get("status", {}).get("startTime") or job["metadata"]["creationTimestamp"]
    age = (now - datetime.fromisoformat(since)).total_seconds()
    if not pods:
        words = "the cluster makes no pod for the job: a quota or an admission rule may forbid it"
        return (age, words) if age >= _NO_POD_S else None
    words = next(filter(None, map(_waits_for, pods)), "")
    return (age, words) if words else None


def _waits_for(pod: Mapping[str, Any] | None) -> str:
    if pod is None or pod.get("status", {}).get("phase") != "Pending":
        return ""
    for each in pod["status"].get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("reason") == "Unschedulable":
            return _line(f"no node has a place for it: {each.get('message') or 'nothing more is said'}")
    for each in pod["status"].get("containerStatuses") or ():
        waiting = each.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in _STUCK:
            return _line(f"{_STUCK[waiting['reason']]}: {waiting.get('message') or waiting['reason']}")
    return ""


def _terminated(pod: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    for each in (pod or {}).get("status", {}).get("containerStatuses") or ():
        if each.get("name") == CONTAINER:
            ended: Mapping[str, Any] | None = each.get("state", {}).get("terminated")
            return ended
    return None


def _end_of(ended: Mapping[str, Any] | None, settings: KubernetesSettings) -> str:
    if ended is None or ended["exitCode"] == 0:
        return ""
    if ended.get("reason") == "OOMKilled":
        return f"out of memory: the job may use {settings.memory}"
    if ended.get("message"):
        return str(ended["message"]).strip().splitlines()[-1]
    return by_signal(int(ended["exitCode"]))


def _said(pod: Mapping[str, Any] | None) -> str:
    status = (pod or {}).get("status", {})
    return ": ".join(str(status[name]) for name in ("reason", "message") if status.get(name))


def _line(words: str) -> str:
    return " ".join(words.split())[:500]
