"""Runs as containers, on a real engine where there is one."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException, NotFound

from services.trainer.errors import ExecutorError
from services.trainer.executors.docker import DockerExecutor
from services.trainer.executors.docker_container import container_options
from services.trainer.executors.docker_settings import DockerSettings
from tests.services.trainer.executors.programs import ended, launch, said, sockets_left, until_state

IMAGE = os.environ.get("TRUSTVQA_TEST_IMAGE", "python:3.11-slim")
KEY = "TRUSTVQA_TRAINER_DOWNSTREAM_API_KEY"
Make = Callable[..., DockerExecutor]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    client, reason = None, ""
    with sockets_left():
        try:
            client = docker.from_env(timeout=60)
        except DockerException as error:
            reason = str(error)
    if client is None:
        pytest.skip(f"no Docker engine answers: {reason}")
    try:
        if not client.images.list(name=IMAGE):
            pytest.skip(f"the Docker engine has no image {IMAGE}")
        yield client
    finally:
        client.close()


@pytest.fixture
def folder(tmp_path: Path, engine: Any) -> Iterator[Path]:
    """A run's folder; its containers are removed at the end."""
    path = tmp_path / "runs" / f"test-{uuid.uuid4().hex[:12]}"
    path.mkdir(parents=True)
    yield path
    for container in engine.containers.list(all=True, filters={"label": f"trustvqa.run={path.name}"}):
        container.remove(force=True, v=True)


@pytest.fixture
async def make() -> Any:
    made: list[DockerExecutor] = []

    def executor(**changes: Any) -> DockerExecutor:
        settings = DockerSettings(**{"image": IMAGE, "network": "none", "log_every_s": 0, "timeout_s": 60, **changes})
        made.append(DockerExecutor(settings))
        return made[-1]

    yield executor
    for each in made:
        await each.close()


CHATTY = """
def wait(name):
    while not (folder / name).exists():
        time.sleep(0.02)
print("one", flush=True)
wait("second")
print("two", file=sys.stderr, flush=True)
wait("end")
print("three")
sys.exit(7)
"""


async def test_one_container_whoever_asks_and_a_log_without_gaps(engine: Any, folder: Path, make: Make) -> None:
    run = launch(folder, CHATTY)
    first, second = make(), make()
    handles = await asyncio.gather(first.start(run), second.start(run), first.start(run))
    assert len(set(handles)) == 1
    handle = handles[0]
    labels = {"label": [f"trustvqa.run={run.run_id}", "trustvqa.role=trainer"]}
    assert [each.id for each in engine.containers.list(all=True, filters=labels)] == [handle]

    await until_state(first, handle, lambda _: said(folder) == ["one"])
    await first.close()  # the service restarts; meanwhile the run says something
    (folder / "second").touch()

    third = make()
    assert await third.start(run) == handle
    await until_state(third, handle, lambda _: said(folder) == ["one", "two"])
    (folder / "end").touch()
    state = await until_state(third, handle, ended)
    assert (state.kind, state.exit_code) == ("exited", 7)
    assert said(folder) == ["one", "two", "three"]  # complete once the end is told

    await third.forget(handle)
    assert (await third.state(handle)).kind == "gone"
    await third.forget(handle)
    await third.stop(handle, 1)
    assert said(folder) == ["one", "two", "three"]


async def test_an_ended_attempt_is_in_nobody_s_way(engine: Any, folder: Path, make: Make) -> None:
    executor = make()
    first = await executor.start(launch(folder, "print('first'); sys.exit(3)"))
    assert (await until_state(executor, first, ended)).exit_code == 3
    second = await executor.start(launch(folder, "print('second')"))
    assert second != first
    assert (await executor.state(first)).kind == "gone"
    assert (await until_state(executor, second, ended)).exit_code == 0
    assert said(folder) == ["first", "second"]


STUBBORN = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("deaf", flush=True)
time.sleep(600)
"""


async def test_a_job_that_ignores_the_polite_signal_is_killed_after_the_grace(folder: Path, make: Make) -> None:
    executor = make()
    handle = await executor.start(launch(folder, STUBBORN))
    await until_state(executor, handle, lambda _: said(folder) == ["deaf"])
    with pytest.raises(ExecutorError, match="would not remove the container"):
        await executor.forget(handle)
    begin = time.monotonic()
    await executor.stop(handle, 1.0)
    assert 1.0 <= time.monotonic() - begin < 10
    state = await executor.state(handle)
    assert (state.kind, state.exit_code, state.detail) == ("exited", 137, "ended by SIGKILL")


POLITE = """
import signal
def leave(*_):
    print("saved", flush=True)
    sys.exit(130)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(600)
"""


async def test_a_job_gets_the_time_to_leave_in_good_order(folder: Path, make: Make) -> None:
    executor = make()
    handle = await executor.start(launch(folder, POLITE))
    await until_state(executor, handle, lambda _: said(folder) == ["ready"])
    await executor.stop(handle, 30)
    assert said(folder) == ["ready", "saved"]
    assert (await executor.state(handle)).exit_code == 130


CONFINED = """
import json, os
def writes(path):
    try:
        pathlib.Path(path, "probe").write_text("x")
    except OSError as error:
        return error.strerror
    return True
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
secrets = pathlib.Path(os.environ["TRUSTVQA_SECRETS"])
print(json.dumps({
    "uid": os.getuid(),
    "pid": os.getpid(),
    "capabilities": int(status["CapEff"], 16),
    "bounding": int(status["CapBnd"], 16),
    "no_new_privileges": int(status["NoNewPrivs"]),
    "root": writes("/"),
    "home": writes(os.environ["HOME"]),
    "folder": writes(folder),
    "data": writes("/data"),
    "secret": {each.name: each.read_text() for each in secrets.iterdir()},
    "key": os.environ.get("TRUSTVQA_TRAINER_DOWNSTREAM_API_KEY"),
    "told": os.environ["TOLD"],
    "links": os.listdir("/sys/class/net"),
}))
"""


def opened(folder: Path, root: Path) -> tuple[Path, Path]:
    """Make a folder of secrets and one of data, and let another user into them and into the run's."""
    secrets, data = root / "secrets", root / "data"
    for path in (secrets, data):
        path.mkdir()
    (secrets / KEY).write_text("open sesame")
    folder.chmod(0o777)
    for path in (folder.parent, root, root.parent, root.parent.parent):
        path.chmod(0o755)
    return secrets, data


async def test_a_job_is_confined_and_finds_its_secret_in_a_file(
    engine: Any, folder: Path, tmp_path: Path, make: Make
) -> None:
    secrets, data = opened(folder, tmp_path)
    executor = make(
        user="12345:12345",
        secrets=str(secrets),
        runs={"source": str(folder.parent), "target": "/runs"},
        mounts=[{"source": str(data), "target": "/data", "read_only": True}],
    )
    handle = await executor.start(launch(folder, CONFINED, {KEY: "open sesame", "TOLD": "this"}))
    assert (await until_state(executor, handle, ended)).exit_code == 0, said(folder)
    found = json.loads(said(folder)[-1])
    assert found["pid"] != 1  # an init passes signals on and buries orphans
    del found["pid"]
    assert found == {
        "uid": 12345,
        "capabilities": 0,
        "bounding": 0,
        "no_new_privileges": 1,
        "root": "Read-only file system",
        "home": True,
        "folder": True,
        "data": "Read-only file system",
        "secret": {KEY: "open sesame"},
        "key": None,
        "told": "this",
        "links": ["lo"],
    }
    assert "sesame" not in json.dumps(engine.containers.get(handle).attrs)


async def test_running_out_of_memory_is_told_apart(folder: Path, make: Make) -> None:
    executor = make(memory="48MiB", shm="16MiB", tmp="16MiB")
    handle = await executor.start(launch(folder, "x = b'x' * (256 * 2**20)"))
    state = await until_state(executor, handle, ended)
    assert (state.kind, state.exit_code) == ("exited", 137)
    assert state.detail == "out of memory: the container may use 48.0MiB"


async def test_what_is_missing_is_named_and_nothing_is_left(engine: Any, folder: Path, make: Make) -> None:
    run = launch(folder, "pass")
    with pytest.raises(ExecutorError, match="the engine has no image no-such-image:1: build or pull it"):
        await make(image="no-such-image:1").start(run)
    with pytest.raises(ExecutorError, match="no-such-network"):
        await make(network="no-such-network").start(run)
    with pytest.raises(ExecutorError, match="no-such-python"):
        await make(python="no-such-python", init=False).start(run)
    with pytest.raises(ExecutorError, match="bind source path does not exist"):
        await make(secrets=str(folder / "absent")).start(run)
    with pytest.raises(ExecutorError, match="device driver"):
        await make(gpus=1).start(run)
    assert engine.containers.list(all=True, filters={"label": f"trustvqa.run={run.run_id}"}) == []


async def test_an_interpreter_that_the_image_lacks_is_told(folder: Path, make: Make) -> None:
    executor = make(python="no-such-python")
    handle = await executor.start(launch(folder, "pass"))
    state = await until_state(executor, handle, ended)
    assert (state.exit_code, state.detail) == (127, "the image has no such interpreter")


BURST = """
print("one", flush=True)
while not (folder / "go").exists():
    time.sleep(0.02)
for number in range(5000):
    print(number)
"""


async def test_a_burst_of_lines_is_copied_whole(folder: Path, make: Make) -> None:
    executor = make()
    handle = await executor.start(launch(folder, BURST))
    await until_state(executor, handle, lambda _: said(folder) == ["one"])
    (folder / "go").touch()
    await until_state(executor, handle, ended)
    assert said(folder) == ["one", *map(str, range(5000))]


async def test_what_belongs_to_others_is_left_alone(engine: Any, folder: Path, make: Make) -> None:
    run = launch(folder, "time.sleep(600)")
    stranger = engine.containers.create(IMAGE, ["python", "-c", ""], name=f"trustvqa-{run.run_id}")
    try:
        with pytest.raises(ExecutorError, match="is taken by a container that is no run of this service"):
            await make().start(run)
    finally:
        stranger.remove(force=True)
    await make().start(run)
    with pytest.raises(ExecutorError, match="in another directory"):
        await make().start(launch(folder.parent / "other" / run.run_id, "pass"))


async def test_a_container_that_was_made_and_not_started_is_started(engine: Any, folder: Path, make: Make) -> None:
    run = launch(folder, "print('late')")
    settings = DockerSettings(image=IMAGE, network="none")
    made = engine.containers.create(**container_options(run, settings))  # its maker died here
    executor = make()
    assert await executor.start(run) == made.id
    assert (await until_state(executor, made.id, ended)).exit_code == 0
    assert said(folder) == ["late"]


async def test_a_container_that_somebody_removed_is_gone(engine: Any, folder: Path, make: Make) -> None:
    executor = make()
    handle = await executor.start(launch(folder, "time.sleep(600)"))
    engine.containers.get(handle).remove(force=True)
    with pytest.raises(NotFound):
        engine.containers.get(handle)
    assert (await executor.state(handle)).kind == "gone"
