"""Picture workers: bounded in number, memory and time, killed where a picture or its client gives reason to."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest

from prompt4trust.errors import PictureError
from services.common.pictures.pool import PicturePool, PictureWorkerError, WorkerLimits
from services.common.pictures.worker import known_end, pieces_of, serve
from tests.services.common.pictures.tasks import do
from tests.support.waiting import DEADLINE_S, until

MEMORY = 100_000_000
FOREVER = 100.0


@pytest.fixture
async def pool() -> AsyncIterator[PicturePool]:
    async with PicturePool(do, WorkerLimits(2, MEMORY, FOREVER)) as pool:
        yield pool


async def act(pool: PicturePool, name: str, file: bytes = b"", **more: Any) -> dict[str, Any]:
    found, _ = await pool.run(file, {"act": name, **more})
    assert isinstance(found, dict)
    return found


def alive(pids: Iterable[int]) -> set[int]:
    """Those of some processes that are alive, whatever the pool says."""
    found = set()
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.add(pid)
        except psutil.NoSuchProcess:
            continue
    return found


async def all_ready(pool: PicturePool) -> None:
    await until(lambda: pool.idle == pool.limits.count)


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
async def test_what_is_asked_and_the_file_go_there_and_back(pool: PicturePool, size: int) -> None:
    file = os.urandom(size)
    found, back = await pool.run(file, {"act": "echo", "text": 'é\ud800"', "numbers": [1, 2.5, None]})
    assert back == file[::-1]
    assert found["asked"] == {"act": "echo", "text": 'é\ud800"', "numbers": [1, 2.5, None]}
    assert found["pid"] != os.getpid()


async def test_a_file_that_ends_as_the_clients_is_put_together_again(pool: PicturePool) -> None:
    file = os.urandom(5_000)
    for head, cut, more in product((0, 1, 64, 65, 3_000), (0, 30, 900, 5_000), (b"", b"behind")):
        new = os.urandom(head)
        told = {"act": "change", "head": new.hex(), "cut": cut, "more": more.hex()}
        for sent in (file, b""):
            _, back = await pool.run(sent, told)
            assert back == new + sent[cut:] + more


def test_only_the_head_of_such_a_file_is_sent() -> None:
    file = os.urandom(5_000)
    assert known_end(file, file) == 5_000 - 64
    assert known_end(b"new" + file, file) == 5_000 + 3 - 64
    assert known_end(file + b"!", file) == known_end(file[:64], file) == known_end(b"", file) == 0


async def test_refusals_come_back_and_the_worker_goes_on(pool: PicturePool) -> None:
    first = await act(pool, "echo")
    with pytest.raises(PictureError) as refused:
        await act(pool, "refuse")
    assert (refused.value.fault, refused.value.detail) == ("image-too-small", "The image is too small.")
    assert (await act(pool, "echo"))["pid"] == first["pid"]


async def test_a_mistake_of_ours_is_not_blamed_on_the_picture(pool: PicturePool) -> None:
    with pytest.raises(PictureWorkerError, match="a mistake of ours"):
        await act(pool, "fail")


async def test_a_picture_that_stalls_is_refused_and_its_worker_replaced() -> None:
    async with PicturePool(do, WorkerLimits(1, MEMORY, 0.2)) as pool:
        await all_ready(pool)
        before = pool.pids
        with pytest.raises(PictureError) as refused:
            await act(pool, "stall")
        assert refused.value.fault == "image-too-complex"
        await all_ready(pool)
        assert len(alive(pool.pids)) == 1
        assert not alive(before)


async def test_a_decoder_that_crashes_takes_its_worker_alone(pool: PicturePool) -> None:
    with pytest.raises(PictureError) as refused:
        await act(pool, "crash")
    assert refused.value.fault == "damaged-image"
    assert (await act(pool, "echo"))["pid"] in pool.pids


async def test_memory_is_bounded(pool: PicturePool) -> None:
    assert (await act(pool, "take", bytes=MEMORY // 2))["taken"] == MEMORY // 2
    with pytest.raises(PictureError) as refused:
        await act(pool, "take", bytes=2 * MEMORY)
    assert refused.value.fault == "image-too-large"


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
async def test_memory_is_kept_from_one_picture_to_the_next(pool: PicturePool) -> None:
    size = 24_000_000
    first, second, third = [await act(pool, "take", bytes=size) for _ in range(3)]
    assert first["pid"] == second["pid"] == third["pid"]
    pages = size // resource.getpagesize()
    assert third["faults"] - second["faults"] < pages // 4


async def test_a_file_for_which_there_is_no_memory_ends_the_worker(pool: PicturePool) -> None:
    # It could not read the rest of the message, and must not take it for the next one.
    with pytest.raises(PictureError):
        await act(pool, "echo", bytes(MEMORY))
    assert (await act(pool, "echo"))["asked"] == {"act": "echo"}


async def test_a_worker_that_leaked_is_replaced(pool: PicturePool) -> None:
    pids = {(await act(pool, "leak", bytes=MEMORY * 2 // 3))["pid"] for _ in range(8)}
    assert len(pids) == 8


async def test_given_up_calls_never_leave_more_processes_than_there_are_places(pool: PicturePool) -> None:
    await all_ready(pool)
    seen = set(pool.pids)
    for _ in range(4):
        tasks = [asyncio.create_task(act(pool, "stall")) for _ in range(2)]
        await until(lambda: pool.idle == 0)
        for task in tasks:
            task.cancel()
        # Both places are taken until the processes have gone.
        while pool.idle < 2:
            seen |= pool.pids
            assert len(alive(seen)) <= 2
            await asyncio.sleep(0)
        seen |= pool.pids
        assert not alive(seen - pool.pids)
    assert len(seen) == 10


async def test_calls_beyond_the_places_wait_and_may_be_given_up(pool: PicturePool) -> None:
    await all_ready(pool)
    tasks = [asyncio.create_task(act(pool, "stall")) for _ in range(2)]
    await until(lambda: pool.idle == 0)
    third = asyncio.create_task(act(pool, "echo"))
    given_up = asyncio.create_task(act(pool, "echo"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert not third.done()
    tasks[0].cancel()
    assert (await third)["pid"] in pool.pids
    tasks[1].cancel()
    await asyncio.gather(*tasks, given_up, return_exceptions=True)


async def test_a_client_whose_pictures_take_for_ever_keeps_nobody_waiting(pool: PicturePool) -> None:
    await all_ready(pool)
    await pool.run(b"", {"act": "echo"}, "other")
    stalls = [asyncio.create_task(pool.run(b"", {"act": "stall"}, "hog")) for _ in range(3)]
    await until(lambda: pool.idle == 1)
    for stall in stalls:
        assert (await pool.run(b"", {"act": "echo"}, "other"))[0]["pid"] in pool.pids
        stall.cancel()  # its worker is killed, and the next stall waits until that is replaced
    await asyncio.gather(*stalls, return_exceptions=True)
    await all_ready(pool)


async def test_a_client_that_is_alone_may_use_all_workers(pool: PicturePool) -> None:
    await all_ready(pool)
    stalls = [asyncio.create_task(pool.run(b"", {"act": "stall"}, "gateway")) for _ in range(2)]
    await until(lambda: pool.idle == 0)
    for stall in stalls:
        stall.cancel()
    await asyncio.gather(*stalls, return_exceptions=True)


async def test_the_pools_end_is_its_workers_end_whatever_they_do() -> None:
    async with PicturePool(do, WorkerLimits(2, MEMORY, FOREVER)) as pool:
        await all_ready(pool)
        task = asyncio.create_task(act(pool, "stall"))
        await until(lambda: pool.idle == 1)
        pids = pool.pids
        assert len(alive(pids)) == 2
    assert not alive(pids)
    with pytest.raises(PictureError):
        await task


async def test_a_pool_that_is_closed_while_it_starts_leaves_nothing() -> None:
    before = len(multiprocessing.active_children())
    async with PicturePool(do, WorkerLimits(2, MEMORY, FOREVER)):
        pass
    async with PicturePool(do, WorkerLimits(2, MEMORY, FOREVER)):
        await asyncio.sleep(0)
    assert len(multiprocessing.active_children()) <= before


async def test_a_pool_that_is_closed_while_it_lets_go_of_a_worker_leaves_nothing() -> None:
    loop, free = asyncio.get_running_loop(), threading.Event()
    threads = ThreadPoolExecutor(1)
    loop.set_default_executor(threads)
    pool = PicturePool(do, WorkerLimits(1, MEMORY, FOREVER))
    descriptors = psutil.Process().num_fds()
    async with pool:
        await all_ready(pool)
        busy = loop.run_in_executor(None, free.wait)  # the only thread
        os.kill(next(iter(pool.pids)), signal.SIGKILL)
        await until(lambda: not pool.pids)
        closing = asyncio.create_task(pool.aclose())
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(closing, busy)
    assert psutil.Process().num_fds() <= descriptors  # connections of other tests may have gone meanwhile


async def test_an_idle_worker_that_was_killed_is_replaced(pool: PicturePool) -> None:
    await all_ready(pool)
    killed = pool.pids
    for each in killed:
        os.kill(each, signal.SIGKILL)
    await until(lambda: len(pool.pids - killed) == 2)
    assert (await act(pool, "echo"))["pid"] not in killed


async def test_workers_hold_no_listening_sockets_and_write_nothing(pool: PicturePool, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.set_inheritable(True)
        async with PicturePool(do, WorkerLimits(1, MEMORY, FOREVER)) as another:
            found = await act(another, "look")
    assert found["listening"] == 0
    assert found["cores"] == 0
    with pytest.raises(PictureWorkerError, match="OSError"):
        await act(pool, "write", path=str(tmp_path / "file"))


async def test_signals_to_the_whole_group_do_not_cut_off_a_picture(pool: PicturePool) -> None:
    pid = (await act(pool, "echo"))["pid"]
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, each)
    assert (await act(pool, "echo"))["pid"] == pid


PARENT = """
import asyncio, sys
from services.common.pictures.pool import PicturePool, WorkerLimits
from services.common.pictures.worker import known_end
from tests.services.common.pictures.tasks import do
from tests.support.waiting import until

async def main():
    async with PicturePool(do, WorkerLimits(2, 10**9, 100.0)) as pool:
        pids = [(await pool.run(b"", {"act": "echo"}))[0]["pid"]]
        task = asyncio.create_task(pool.run(b"", {"act": "stall"}))
        await asyncio.sleep(0)
        print(pids[0], flush=True)
        await task

asyncio.run(main())
"""


def test_no_worker_outlives_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) >= 3
        parent.kill()
    _, left = psutil.wait_procs(family, timeout=60)
    assert left == []


def test_a_picture_whose_parent_was_killed_before_its_worker_began_is_not_decoded() -> None:
    ours, theirs = socket.socketpair()
    context = multiprocessing.get_context("forkserver")
    worker = context.Process(target=serve, args=(theirs, do, MEMORY, FOREVER), daemon=True)
    with ours, theirs:
        for piece in pieces_of({"act": "stall"}, b"a picture"):
            ours.sendall(piece)
        ours.close()
        worker.start()
    try:
        worker.join(DEADLINE_S)
        assert worker.exitcode == 0
    finally:
        worker.kill()


async def later(pool: PicturePool, **then: Any) -> asyncio.Task[Any]:
    """Have a worker begin with something that it finishes later."""
    _, file, rest = await pool.begin(b"ab", {"act": "later", "then": then})
    assert (file, rest is not None) == (b"ba", True)
    assert rest is not None
    return rest


async def test_the_first_result_is_there_before_the_rest_is_done(pool: PicturePool, tmp_path: Path) -> None:
    await all_ready(pool)
    rest = await later(pool, act="await", path=str(tmp_path / "go"))
    assert pool.idle == pool.limits.count - 1
    assert not rest.done()
    (tmp_path / "go").touch()
    assert (await rest)["pid"] in pool.pids
    assert pool.idle == pool.limits.count


async def test_who_wants_all_gets_both_parts(pool: PicturePool) -> None:
    found, file = await pool.run(b"ab", {"act": "later", "then": {"act": "echo"}})
    assert (found["asked"], file) == ({"act": "echo"}, b"ba")


async def test_the_rest_fails_as_a_whole_would(pool: PicturePool) -> None:
    with pytest.raises(PictureError, match="too small"):
        await (await later(pool, act="refuse"))
    with pytest.raises(PictureWorkerError, match="a mistake of ours"):
        await (await later(pool, act="fail"))
    await all_ready(pool)
    before = pool.pids
    with pytest.raises(PictureError, match="decoder failed"):
        await (await later(pool, act="crash"))
    await until(lambda: pool.pids != before and pool.idle == pool.limits.count)


async def test_a_rest_that_is_given_up_or_takes_too_long_ends_its_worker() -> None:
    async with PicturePool(do, WorkerLimits(1, MEMORY, 0.3)) as pool:
        first = await later(pool, act="stall")
        (pid,) = pool.pids
        first.cancel()
        await until(lambda: pid not in pool.pids and pool.idle == 1)
        with pytest.raises(PictureError, match="more than"):
            await (await later(pool, act="stall"))
        await all_ready(pool)
