"""The manifest of a run's Job, and what the cluster's answers about it mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.trainer.errors import ExecutorError
from services.trainer.executors.base import Launch
from services.trainer.executors.kubernetes_job import build_job, describe, job_name, stuck
from services.trainer.executors.kubernetes_settings import ClaimMount, KubernetesSettings, Toleration

KEY = "TRUSTVQA_TRAINER_DOWNSTREAM_API_KEY"
RUN_IDS = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
PLAIN = KubernetesSettings(image="registry.example/trustvqa:1", runs=ClaimMount(claim="runs", target="/runs"))
FULL = KubernetesSettings(
    image="registry.example/trustvqa@sha256:" + "0" * 64,
    image_pull_secrets=("pull",),
    runs=ClaimMount(claim="state", target="/runs", sub_path="runs"),
    mounts=(
        ClaimMount(claim="state", target="/registry", sub_path="registry"),
        ClaimMount(claim="data", target="/data", read_only=True),
    ),
    secret="keys",
    service_account="trainer-job",
    working_dir="/app",
    cpu="500m",
    memory="32Gi",
    gpus=2,
    node_selector={"gpu": "yes"},
    tolerations=(Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"),),
    runtime_class="nvidia",
    priority_class="batch",
    deadline_s=3600,
)


def run(run_id: str = "run-1") -> Launch:
    folder = Path("/var/lib/trustvqa/runs") / run_id
    return Launch(run_id, folder, ("-m", "services.trainer.grpo", str(folder)), {"A": "1"})


@given(run_id=RUN_IDS)
def test_a_name_is_a_dns_label_and_a_label_s_value(run_id: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", job_name(run_id))


@given(ids=st.sets(RUN_IDS, min_size=2, max_size=2), tail=st.text("ab", max_size=5))
def test_different_runs_have_different_names(ids: set[str], tail: str) -> None:
    first, second = ids
    assert job_name(first) != job_name(second)
    stem = "r" * 58
    if tail:
        assert job_name(stem + tail) != job_name(stem + tail[:-1] + "c")


@pytest.mark.parametrize("version", ["1.29", "1.34", "1.37"])
@pytest.mark.parametrize("settings", [PLAIN, FULL], ids=["plain", "full"])
def test_the_manifest_is_valid(settings: KubernetesSettings, version: str) -> None:
    kubernetes_validate.validate(build_job(run(), settings), version, strict=True)


@pytest.mark.parametrize("settings", [PLAIN, FULL], ids=["plain", "full"])
def test_what_a_schema_does_not_see_holds_too(settings: KubernetesSettings) -> None:
    job = build_job(run(), settings)
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    volumes = [volume["name"] for volume in spec["volumes"]]
    assert len(set(volumes)) == len(volumes)
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert len(set(paths)) == len(paths)
    quantity = r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?"
    amounts = [value for part in container["resources"].values() for value in part.values()]
    amounts += [volume["emptyDir"]["sizeLimit"] for volume in spec["volumes"] if "emptyDir" in volume]
    assert all(re.fullmatch(quantity, amount) for amount in amounts)
    # Extended resources cannot be overcommitted: request and limit must be the same.
    for part in ("requests", "limits"):
        assert container["resources"][part].get("nvidia.com/gpu") == (str(settings.gpus) if settings.gpus else None)
    for name, value in job["spec"]["template"]["metadata"]["labels"].items():
        assert re.fullmatch(r"([a-z0-9.]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", name)
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value)
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", each["name"]) for each in container["env"])


@pytest.mark.parametrize("settings", [PLAIN, FULL], ids=["plain", "full"])
def test_the_restricted_pod_security_standard_admits_it(settings: KubernetesSettings) -> None:
    """Each rule of the standard, https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    spec = build_job(run(), settings)["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & set(spec)
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"persistentVolumeClaim", "emptyDir", "secret"}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["runAsUser"] > 0
    assert "privileged" not in context
    assert "ports" not in container
    # Beyond the standard.
    assert context["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False


def test_one_attempt_in_its_own_folder() -> None:
    job = build_job(run(), FULL)
    assert job["metadata"]["name"] == "trustvqa-run-1"
    assert (job["spec"]["backoffLimit"], job["spec"]["completions"], job["spec"]["parallelism"]) == (0, 1, 1)
    assert job["spec"]["activeDeadlineSeconds"] == 3600
    spec = job["spec"]["template"]["spec"]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"]) == ("Never", 8)
    (container,) = spec["containers"]
    assert container["command"] == ["python", "-m", "services.trainer.grpo", "/runs/run-1"]
    claims = [mount for mount in container["volumeMounts"] if mount["name"].startswith("claim")]
    assert claims == [
        {"name": "claim-0", "mountPath": "/runs", "subPath": "runs"},
        {"name": "claim-0", "mountPath": "/registry", "subPath": "registry"},
        {"name": "claim-1", "mountPath": "/data", "readOnly": True},
    ]


def test_a_secret_is_never_told_openly() -> None:
    secret = Launch("run-1", Path("/runs/run-1"), (), {KEY: "sesame"})
    with pytest.raises(ExecutorError, match=f"{KEY} would be readable"):
        build_job(secret, PLAIN)
    job = build_job(secret, FULL)
    assert "sesame" not in repr(job)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each["value"] for each in container["env"]}
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "secrets"]
    assert told["TRUSTVQA_SECRETS"] == mount["mountPath"]
    assert mount["readOnly"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"namespace": "Trust_VQA"},
        {"memory": "8 GiB"},
        {"user": 0},
        {"runs": {"claim": "runs", "target": "runs"}},
        {"runs": {"claim": "runs", "target": "/runs", "sub_path": "../other"}},
        {"gpu_resource": "gpu"},
        {"colour": "grey"},
    ],
)
def test_settings_that_a_cluster_would_refuse_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KubernetesSettings.model_validate(PLAIN.model_dump() | changes)


# --- What the cluster says --------------------------------------------------------------------------------------------

BEGUN = datetime(2026, 11, 22, 3, tzinfo=UTC)
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit"}]}


def job(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"creationTimestamp": f"{BEGUN:%Y-%m-%dT%H:%M:%SZ}", **metadata}, "status": status or {}}


def pod(phase: str, created: str = "", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "creationTimestamp": created}, "status": {"phase": phase, **status}}


def container(kind: str, **state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "trainer", "state": {kind: state}}]}


UNSCHEDULABLE = pod(
    "Pending",
    conditions=[
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        }
    ],
)
NO_IMAGE = pod("Pending", **container("waiting", reason="ImagePullBackOff", message='Back-off pulling image "x:1"'))
CREATING = pod("Pending", **container("waiting", reason="ContainerCreating"))


@pytest.mark.parametrize(
    ("status", "pods", "expected"),
    [
        ({}, [], ("running", None, "")),
        ({}, [CREATING], ("running", None, "")),
        ({}, [pod("Running")], ("running", None, "")),
        (
            {},
            [UNSCHEDULABLE],
            ("running", None, "no node has a place for it: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu."),
        ),
        ({}, [NO_IMAGE], ("running", None, 'the image cannot be pulled: Back-off pulling image "x:1"')),
        ({"conditions": [{"type": "Suspended", "status": "True"}]}, [], ("running", None, "suspended")),
        # A pod that has ended, of a Job that the controller has not looked at yet: another might be made.
        ({}, [pod("Failed", **container("terminated", exitCode=1))], ("running", None, "")),
        (COMPLETE, [pod("Succeeded", **container("terminated", exitCode=0))], ("exited", 0, "")),
        (COMPLETE, [], ("exited", 0, "")),
        (
            FAILED,
            [pod("Failed", **container("terminated", exitCode=137, reason="OOMKilled"))],
            ("exited", 137, "out of memory: the job may use 8Gi"),
        ),
        (
            FAILED,
            [pod("Failed", **container("terminated", exitCode=1, message="loading\nerror: no such policy\n"))],
            ("exited", 1, "error: no such policy"),
        ),
        (FAILED, [pod("Failed", **container("terminated", exitCode=143))], ("exited", 143, "ended by SIGTERM")),
        (
            FAILED,
            [pod("Failed", reason="Evicted", message="The node was low on resource: memory.")],
            ("exited", None, "Evicted: The node was low on resource: memory."),
        ),
        (FAILED, [], ("exited", None, "BackoffLimitExceeded: limit")),
    ],
)
def test_a_job_s_state_is_understood(
    status: dict[str, Any], pods: list[dict[str, Any]], expected: tuple[str, int | None, str]
) -> None:
    found = describe(job(status), pods, PLAIN)
    assert (found.kind, found.exit_code, found.detail) == expected


def test_a_job_that_is_being_removed_still_runs() -> None:
    found = describe(job(deletionTimestamp="2026-11-22T03:00:00Z"), [pod("Running")], PLAIN)
    assert (found.kind, found.detail) == ("running", "the job is being removed")


@pytest.mark.parametrize("waiting", [UNSCHEDULABLE, NO_IMAGE])
def test_waiting_in_vain_is_timed(waiting: dict[str, Any]) -> None:
    found = stuck(job(), [waiting], BEGUN + timedelta(seconds=90))
    assert found is not None
    assert found[0] == 90
    begun_later = job({"startTime": f"{BEGUN + timedelta(seconds=60):%Y-%m-%dT%H:%M:%SZ}"})
    found = stuck(begun_later, [waiting], BEGUN + timedelta(seconds=90))
    assert found is not None
    assert found[0] == 30


def test_waiting_for_what_is_on_its_way_is_not_waiting_in_vain() -> None:
    late = BEGUN + timedelta(days=1)
    assert stuck(job(), [CREATING], late) is None
    assert stuck(job(), [pod("Running")], late) is None
    assert stuck(job({"conditions": [{"type": "Suspended", "status": "True"}]}), [], late) is None
    assert stuck(job(), [], BEGUN + timedelta(seconds=5)) is None
    missing = stuck(job(), [], late)
    assert missing is not None
    assert "quota" in missing[1]
