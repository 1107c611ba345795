"""Runs as containers: what the engine is asked for, and how its answers are read. No engine is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from services.trainer.errors import ExecutorError
from services.trainer.executors.base import Launch
from services.trainer.executors.docker import DockerExecutor
from services.trainer.executors.docker_container import container_options, describe
from services.trainer.executors.docker_settings import DockerSettings, Mount
from tests.services.trainer.executors.programs import sockets_left

KEY = "TRUSTVQA_TRAINER_DOWNSTREAM_API_KEY"


@pytest.fixture
def run() -> Launch:
    folder = Path("/srv/runs/run-1")
    command = ("-m", "services.trainer.grpo", "/srv/runs/run-1", "/srv/runs/run-10", "/srv/runs/run-1/config.json")
    return Launch("run-1", folder, command, {"TRUSTVQA_CONFIG": "/app/configs/embedded.yaml"})


def test_a_job_sees_its_folder_where_the_runs_are_mounted(run: Launch) -> None:
    settings = DockerSettings(runs=Mount(source="runs", target="/runs"), mounts=(Mount(source="/d", target="/data"),))
    options = container_options(run, settings)
    assert options["entrypoint"] == ["python"]
    assert options["command"] == [
        "-m",
        "services.trainer.grpo",
        "/runs/run-1",
        "/srv/runs/run-10",
        "/runs/run-1/config.json",
    ]
    seen = [(mount["Type"], mount["Source"], mount["Target"]) for mount in options["mounts"]]
    assert seen == [("volume", "runs", "/runs"), ("bind", "/d", "/data")]


def test_limits_and_devices_are_asked_for(run: Launch) -> None:
    settings = DockerSettings(memory="16GiB", cpus=2.5, pids=100, gpus="all", network="net", user="7:8")
    options = container_options(run, settings)
    assert options["mem_limit"] == options["memswap_limit"] == 16 * 2**30
    assert (options["nano_cpus"], options["pids_limit"], options["network"]) == (2_500_000_000, 100, "net")
    assert options["user"] == "7:8"
    assert options["device_requests"][0]["Count"] == -1
    assert options["device_requests"][0]["Capabilities"] == [["gpu"]]
    assert container_options(run, DockerSettings(gpus=2))["device_requests"][0]["Count"] == 2
    assert "device_requests" not in container_options(run, DockerSettings())


def test_a_secret_is_never_told_openly(run: Launch) -> None:
    secret = Launch(run.run_id, run.folder, run.command, {KEY: "sesame", "HF_TOKEN": "hf"})
    with pytest.raises(ExecutorError, match=f"HF_TOKEN, {KEY} would be readable"):
        container_options(secret, DockerSettings())
    options = container_options(secret, DockerSettings(secrets="/etc/trustvqa/secrets"))
    assert "sesame" not in repr(options)
    assert options["environment"]["TRUSTVQA_SECRETS"] == options["mounts"][-1]["Target"] == "/run/secrets/trustvqa"
    assert options["mounts"][-1]["ReadOnly"] is True


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"Status": "running", "ExitCode": 0}, ("running", None, "")),
        ({"Status": "paused", "ExitCode": 0}, ("running", None, "the container is paused")),
        ({"Status": "created", "ExitCode": 0}, ("exited", None, "the container was made and never started")),
        ({"Status": "exited", "ExitCode": 1}, ("exited", 1, "")),
        ({"Status": "exited", "ExitCode": 143}, ("exited", 143, "ended by SIGTERM")),
        ({"Status": "exited", "ExitCode": 130}, ("exited", 130, "")),  # as a run that was asked to stop
        ({"Status": "exited", "ExitCode": 255}, ("exited", 255, "")),
        ({"Status": "exited", "ExitCode": 127}, ("exited", 127, "the image has no such interpreter")),
        (
            {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
            ("exited", 137, "out of memory: the container may use 2.0GiB"),
        ),
        (
            {"Status": "exited", "ExitCode": 0, "OOMKilled": True},
            ("exited", 0, "a process of the job ran out of memory: the container may use 2.0GiB"),
        ),
        ({"Status": "dead", "ExitCode": 1, "Error": "no such device"}, ("exited", 1, "no such device")),
    ],
)
def test_an_inspection_is_understood(state: dict[str, Any], expected: tuple[str, int | None, str]) -> None:
    found = describe({"State": state, "HostConfig": {"Memory": 2 * 2**30}})
    assert (found.kind, found.exit_code, found.detail) == expected


async def test_an_engine_that_is_away_is_named(run: Launch, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    executor = DockerExecutor(DockerSettings(engine=address))
    with sockets_left():
        said = []
        for call in (executor.start(run), executor.state("abc"), executor.stop("abc", 1), executor.forget("abc")):
            try:
                await call
            except ExecutorError as error:
                said.append(str(error))
        await anyio.to_thread.run_sync(int)  # an idle worker remembers its last failure, and that the socket
    assert len(said) == 4
    assert all(f"does not answer at {address}: is it running" in each for each in said)
    await executor.close()
