"""The process executor with real children: adoption, whole groups, recycled numbers, what they are told."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from services.trainer.errors import ExecutorError
from services.trainer.executors.base import JobState, Launch
from services.trainer.executors.process import ProcessExecutor
from services.trainer.executors.process_identity import find, identify, is_at_work
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[4]
ENVIRONMENT = {"PATH": os.environ["PATH"], "TRUSTVQA_POLICY_UPSTREAM_API_KEY": "a secret of the service"}
# A child that has a grandchild which ignores SIGTERM, and another that has left for a session of its own.
FAMILY = """
import os, pathlib, signal, subprocess, sys, time
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
children = [
    subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=own)
    for own in (False, True)
]
for child in children:
    child.stdout.readline()
pathlib.Path("family.new").write_text(" ".join(str(pid) for pid in (os.getpid(), *(each.pid for each in children))))
os.rename("family.new", "family")
def stop(*_):
    pathlib.Path("checkpoint").write_text("saved")
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
time.sleep(600)
"""


def launch(folder: Path, code: str, **environment: str) -> Launch:
    return Launch("run-1", folder, ("-c", f"import os; os.chdir({str(folder)!r})\n{code}"), environment)


def family(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "family").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
async def executor(tmp_path: Path) -> AsyncIterator[ProcessExecutor]:
    """An executor, and an end to whatever a failing test leaves behind."""
    executor = ProcessExecutor(environment=ENVIRONMENT)
    yield executor
    for handle in list(executor._children):
        await executor.stop(handle, 0)
    await executor.close()


async def ended(executor: ProcessExecutor, handle: str) -> JobState:
    states = [JobState("running")]
    deadline = time.monotonic() + 30
    while states[-1].kind == "running":
        assert time.monotonic() < deadline
        states.append(await executor.state(handle))
    return states[-1]


async def test_it_says_how_a_child_ended_and_keeps_what_it_wrote(executor: ProcessExecutor, tmp_path: Path) -> None:
    code = "import sys; print('out', flush=True); sys.stderr.write('err'); sys.exit(3)"
    handle = await executor.start(launch(tmp_path, code))
    assert await ended(executor, handle) == JobState("exited", 3)
    assert (tmp_path / "log.txt").read_text() == "out\nerr"
    await executor.forget(handle)
    await executor.forget(handle)
    handle = await executor.start(launch(tmp_path, "import signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert await ended(executor, handle) == JobState("exited", -signal.SIGKILL)


async def test_a_child_is_told_what_the_run_needs_and_no_secrets(executor: ProcessExecutor, tmp_path: Path) -> None:
    code = "open('told', 'w').write('\\n'.join(os.environ))"
    handle = await executor.start(launch(tmp_path, code, OMP_NUM_THREADS="1"))
    assert (await ended(executor, handle)).exit_code == 0
    told = set((tmp_path / "told").read_text().split())
    assert {"OMP_NUM_THREADS", "PATH", "TRUSTVQA_RUN"} <= told
    assert not any("API_KEY" in name for name in told)


async def test_secrets_that_are_files_are_not_in_the_environment(tmp_path: Path) -> None:
    secrets = [tmp_path / "stack", tmp_path / "secrets"]
    for each in secrets:
        each.mkdir()
    (secrets[0] / "TRUSTVQA_TRAINER_POLICY_API_KEY").write_text("another")
    (secrets[1] / "trustvqa_trainer_downstream_api_key").write_text("key")
    named = ":".join(map(str, secrets))
    executor = ProcessExecutor(environment={**ENVIRONMENT, "TRUSTVQA_SECRETS": named})
    code = "from services.trainer.model_settings import ModelSettings\n"
    code += "open('told', 'w').write(ModelSettings().downstream_api_key.get_secret_value() + str(dict(os.environ)))"
    names = ("TRUSTVQA_TRAINER_DOWNSTREAM_API_KEY", "TRUSTVQA_TRAINER_POLICY_API_KEY")
    environment = {**dict.fromkeys(names, "shown to whoever looks"), "PYTHONPATH": str(ROOT)}
    handle = await executor.start(launch(tmp_path, code, **environment))
    assert (await ended(executor, handle)).exit_code == 0, (tmp_path / "log.txt").read_text()
    told = (tmp_path / "told").read_text()
    assert told.startswith("key{")
    assert "shown to whoever looks" not in told
    await executor.close()


async def test_stopping_ends_the_whole_group_and_those_who_left_it(executor: ProcessExecutor, tmp_path: Path) -> None:
    handle = await executor.start(launch(tmp_path, FAMILY))
    await until((tmp_path / "family").exists)
    pids = family(tmp_path)
    assert os.getsid(pids[0]) == pids[0] != os.getsid(0)
    assert all(map(is_running, pids))
    began = time.monotonic()
    await executor.stop(handle, 2.0)
    assert time.monotonic() - began < 10
    assert not any(map(is_running, pids))
    assert (tmp_path / "checkpoint").read_text() == "saved"  # the child itself was asked politely
    assert await executor.state(handle) == JobState("exited", 130)
    await executor.stop(handle, 2.0)


async def test_another_executor_finds_the_child_again(executor: ProcessExecutor, tmp_path: Path) -> None:
    run = launch(tmp_path, FAMILY)
    handle = await executor.start(run)
    await until((tmp_path / "family").exists)
    later = ProcessExecutor(environment=ENVIRONMENT)
    assert await later.state(handle) == JobState("running")
    assert await later.start(run) == await executor.start(run) == handle
    pids = family(tmp_path)
    await later.stop(handle, 0.5)
    assert not any(map(is_running, pids))
    # To the other executor the child was a stranger: it cannot know the exit code.
    assert (await later.state(handle)).exit_code is None
    assert (await later.state(handle)).kind != "running"
    await later.close()


async def test_what_a_dead_child_left_running_is_cleared_away(executor: ProcessExecutor, tmp_path: Path) -> None:
    handle = await executor.start(launch(tmp_path, FAMILY))
    await until((tmp_path / "family").exists)
    leader, *others = family(tmp_path)
    os.kill(leader, signal.SIGKILL)
    assert await ended(executor, handle) == JobState("exited", -signal.SIGKILL)
    assert all(map(is_running, others))
    again = await executor.start(launch(tmp_path, "import time; time.sleep(600)"))
    assert again != handle  # the grandchildren are not the job, though they carry its mark
    await executor.stop(again, 0.1)
    await executor.forget(handle)
    assert not any(map(is_running, others))


async def test_a_recycled_number_is_nobodys_run(executor: ProcessExecutor, tmp_path: Path) -> None:
    handle = await executor.start(launch(tmp_path, "import time; time.sleep(600)"))
    host, pid, start, _ = handle.split(":", 3)
    # The number of a living process, which began at another time than the run's did.
    recycled = f"{host}:{pid}:{float(start) - 60:.2f}:{tmp_path / 'another'}"
    assert await executor.state(recycled) == JobState("gone")
    await executor.stop(recycled, 0.1)
    assert await executor.state(handle) == JobState("running")
    with pytest.raises(ExecutorError, match="no handle"):
        await executor.state("nonsense:x:y:z")
    await executor.stop(handle, 0.1)


async def test_what_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="could not be started"):
        await ProcessExecutor(python=str(tmp_path / "absent")).start(launch(tmp_path, ""))
    with pytest.raises(ExecutorError, match="could not be started"):
        await ProcessExecutor().start(Launch("run-1", tmp_path / "absent", ("-c", "")))


async def test_children_outlive_the_executor(tmp_path: Path) -> None:
    executor = ProcessExecutor(environment=ENVIRONMENT)
    handle = await executor.start(launch(tmp_path, "import time; time.sleep(600)"))
    await executor.close()
    del executor
    later = ProcessExecutor()
    assert await later.state(handle) == JobState("running")
    await later.stop(handle, 0.1)
    await asyncio.to_thread(os.waitpid, int(handle.split(":")[1]), 0)
    assert await later.state(handle) == JobState("gone")


def test_processes_are_known_again() -> None:
    me = identify(os.getpid())
    assert is_at_work(me) is True
    assert (process := find(me)) is not None
    assert process.pid == os.getpid()
    host, pid, start = me.split(":")
    assert is_at_work(f"{host}:{pid}:{float(start) + 1}") is False
    assert is_at_work(f"elsewhere:{pid}:{start}") is None
    with pytest.raises(LookupError):
        identify(2**22 + 1)
    with pytest.raises(ValueError, match="unpack"):
        is_at_work("nonsense")
