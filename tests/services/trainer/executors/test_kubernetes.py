"""Runs as Jobs, against the API's few paths over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.trainer.errors import ExecutorError
from services.trainer.executors.base import Launch
from services.trainer.executors.kubernetes import KubernetesExecutor
from services.trainer.executors.kubernetes_settings import KubernetesSettings
from tests.services.trainer.executors.programs import said
from tests.support.kube_api import TOKEN, KubeApi
from tests.support.servers import free_port, running

ROOT = Path(__file__).resolve().parents[4]
JOB = "trustvqa-run-1"


@pytest.fixture
def api() -> KubeApi:
    return KubeApi()


def write_config(path: Path, url: str, token: str = TOKEN) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def url(api: KubeApi) -> Iterator[str]:
    with running(api.app) as address:
        yield address


@pytest.fixture
def kubeconfig(url: str, tmp_path: Path) -> Path:
    return write_config(tmp_path / "kubeconfig", url)


def settings(kubeconfig: Path, **changes: Any) -> KubernetesSettings:
    return KubernetesSettings.model_validate(
        {
            "kubeconfig": kubeconfig,
            "image": "trustvqa:1",
            "runs": {"claim": "runs", "target": "/runs"},
            "look_every_s": 0,
            "timeout_s": 10,
            **changes,
        }
    )


async def quickly(_: float) -> None:
    await asyncio.sleep(0.01)


@pytest.fixture
async def make(kubeconfig: Path) -> Any:
    made: list[KubernetesExecutor] = []

    def executor(now: Any = None, **changes: Any) -> KubernetesExecutor:
        more = {} if now is None else {"now": now}
        made.append(KubernetesExecutor(settings(kubeconfig, **changes), sleep=quickly, **more))
        return made[-1]

    yield executor
    for each in made:
        await each.close()


@pytest.fixture
def run(tmp_path: Path) -> Launch:
    folder = tmp_path / "runs" / "run-1"
    folder.mkdir(parents=True)
    return Launch("run-1", folder, ("-m", "services.trainer.grpo", str(folder)), {"A": "1"})


async def test_one_job_whoever_asks_and_a_log_without_gaps(api: KubeApi, make: Any, run: Launch) -> None:
    first, second = make(), make()
    handles = set(await asyncio.gather(first.start(run), second.start(run), first.start(run)))
    assert handles == {f"trustvqa/{JOB}/{api.jobs[JOB]['metadata']['uid']}"}
    (handle,) = handles
    assert (await first.state(handle)).kind == "running"

    pod = api.pod(JOB, "Pending")
    assert (await first.state(handle)).kind == "running"  # it has no log yet
    api.pods[pod]["status"]["phase"] = "Running"
    api.say(pod, "one")
    assert (await first.state(handle)).kind == "running"
    assert said(run.folder) == ["one"]
    await first.close()  # the service restarts; meanwhile the run says something
    api.say(pod, "two")

    third = make()
    assert await third.start(run) == handle
    await third.state(handle)
    assert said(run.folder) == ["one", "two"]
    api.say(pod, "three")
    api.end(JOB, 3, message="three\n")
    state = await third.state(handle)
    assert (state.kind, state.exit_code, state.detail) == ("exited", 3, "three")
    assert said(run.folder) == ["one", "two", "three"]

    await third.stop(handle, 1)  # it has ended: nothing to stop
    assert JOB in api.jobs
    await third.forget(handle)
    await api_settles(third, handle)
    await third.forget(handle)


async def api_settles(executor: KubernetesExecutor, handle: str) -> None:
    """Look until a Job is gone."""
    async with asyncio.timeout(30):
        while (await executor.state(handle)).kind != "gone":  # noqa: ASYNC110 - each look moves the server along
            await asyncio.sleep(0)


async def test_stopping_removes_the_pods_before_the_job_and_keeps_last_words(
    api: KubeApi, make: Any, run: Launch
) -> None:
    executor = make()
    handle = await executor.start(run)
    pod = api.pod(JOB)
    with pytest.raises(ExecutorError, match="is still at work"):
        await executor.forget(handle)
    stopping = asyncio.create_task(executor.stop(handle, 5))
    async with asyncio.timeout(30):
        while not api.deletions:  # noqa: ASYNC110 - the server runs in another thread
            await asyncio.sleep(0.01)
    api.say(pod, "saved")
    await stopping
    assert api.jobs == api.pods == {}
    (options,) = api.deletions
    assert options["propagationPolicy"] == "Foreground"
    assert options["preconditions"] == {"uid": handle.rpartition("/")[2]}
    assert said(run.folder) == ["saved"]
    assert (await executor.state(handle)).kind == "gone"
    await executor.stop(handle, 5)


async def test_an_ended_attempt_gives_way_to_the_next(api: KubeApi, make: Any, run: Launch) -> None:
    executor = make()
    first = await executor.start(run)
    api.say(api.pod(JOB), "first")
    api.end(JOB, 130)
    second = await executor.start(run)
    assert second != first
    assert said(run.folder) == ["first"]
    assert (await executor.state(first)).kind == "gone"
    await executor.stop(first, 1)
    await executor.forget(first)
    assert (await executor.state(second)).kind == "running"
    assert api.jobs[JOB]["metadata"]["uid"] in second


async def test_a_job_without_a_place_is_given_up_after_a_while(api: KubeApi, make: Any, run: Launch) -> None:
    moment = datetime.now(UTC)
    executor = make(now=lambda: moment, stuck_s=600)
    handle = await executor.start(run)
    words = "0/1 nodes are available: 1 Insufficient memory."
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
    api.pod(JOB, "Pending", conditions=[unschedulable])
    state = await executor.state(handle)
    assert (state.kind, state.detail) == ("running", f"no node has a place for it: {words}")
    moment = datetime.fromisoformat(api.jobs[JOB]["metadata"]["creationTimestamp"]) + timedelta(seconds=700)
    state = await executor.state(handle)
    assert (state.kind, state.exit_code) == ("exited", None)
    assert state.detail == f"given up after 700 s: no node has a place for it: {words}"
    assert api.jobs == {}  # it cannot begin behind the service's back
    assert (await executor.state(handle)).kind == "gone"


async def test_a_cluster_is_not_asked_more_often_than_set(api: KubeApi, kubeconfig: Path, run: Launch) -> None:
    moment = 100.0
    executor = KubernetesExecutor(settings(kubeconfig, look_every_s=2), clock=lambda: moment)
    handle = await executor.start(run)
    await executor.state(handle)
    asked = len(api.asked)
    moment += 1.9
    assert (await executor.state(handle)).kind == "running"
    assert len(api.asked) == asked
    api.pod(JOB)
    api.end(JOB, 3)
    moment += 0.2
    assert (await executor.state(handle)).exit_code == 3
    await executor.close()


async def test_a_passing_failure_of_the_api_is_outlived(api: KubeApi, make: Any, run: Launch) -> None:
    executor = make()
    api.failing = 2
    handle = await executor.start(run)
    api.failing = 100
    with pytest.raises(ExecutorError, match="currently unable to handle the request"):
        await executor.state(handle)
    api.failing = 0
    assert (await executor.state(handle)).kind == "running"


async def test_new_credentials_are_taken_up(api: KubeApi, make: Any, run: Launch, kubeconfig: Path, url: str) -> None:
    executor = make()
    handle = await executor.start(run)
    api.token = "another"
    with pytest.raises(ExecutorError, match="Unauthorized"):
        await executor.state(handle)
    write_config(kubeconfig, url, "another")
    assert (await executor.state(handle)).kind == "running"


async def test_what_belongs_to_others_is_left_alone(api: KubeApi, make: Any, run: Launch) -> None:
    executor = make()
    await executor.start(run)
    other = Launch(run.run_id, run.folder.parent / "elsewhere" / run.run_id, run.command)
    with pytest.raises(ExecutorError, match="in another directory"):
        await executor.start(other)
    del api.jobs[JOB]["metadata"]["labels"]["trustvqa.run"]
    with pytest.raises(ExecutorError, match=f"the name {JOB} is taken"):
        await executor.start(run)
    with pytest.raises(ExecutorError, match="no handle of a job"):
        await executor.state("another-namespace/x/y")
    assert not api.deletions


async def test_a_log_that_cannot_be_written_harms_nobody(api: KubeApi, make: Any, run: Launch) -> None:
    executor = make()
    handle = await executor.start(run)
    api.say(api.pod(JOB), "one")
    (run.folder / "log.txt").mkdir()
    assert (await executor.state(handle)).kind == "running"
    (run.folder / "log.txt").rmdir()
    await executor.state(handle)
    assert said(run.folder) == ["one"]


async def test_a_refusal_is_told_in_the_cluster_s_words(api: KubeApi, make: Any, run: Launch) -> None:
    with pytest.raises(ExecutorError, match=r"would not POST .*is forbidden in this namespace"):
        await make(namespace="other").start(run)


async def test_a_cluster_that_is_away_is_named(run: Launch, tmp_path: Path) -> None:
    config = write_config(tmp_path / "kubeconfig", f"http://127.0.0.1:{free_port()}")
    executor = KubernetesExecutor(settings(config, timeout_s=5))
    with pytest.raises(ExecutorError, match="the cluster cannot be reached"):
        await executor.start(run)
    await executor.close()


@pytest.mark.parametrize("text", ["", "{", "apiVersion: v1\nkind: Config\n"])
async def test_credentials_that_cannot_be_read_are_told(run: Launch, tmp_path: Path, text: str) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(text)
    executor = KubernetesExecutor(settings(config))
    with pytest.raises(ExecutorError, match="credentials cannot be read"):
        await executor.start(run)
    with pytest.raises(ExecutorError, match="credentials cannot be read"):
        await KubernetesExecutor(settings(tmp_path / "absent")).state("trustvqa/a/b")


async def test_the_documented_role_allows_what_is_asked_and_no_more(api: KubeApi, make: Any, run: Launch) -> None:
    executor = make()
    handle = await executor.start(run)
    api.say(api.pod(JOB), "one")
    await executor.state(handle)
    await executor.stop(handle, 1)
    page = (ROOT / "docs" / "training-executors.md").read_text()
    (role,) = [
        document
        for block in page.split("```yaml\n")[1:]
        for document in yaml.safe_load_all(block.partition("```")[0])
        if document.get("kind") == "Role"
    ]
    allowed = {(verb, resource) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert set(api.asked) == allowed
