"""Faults of processes, networks, clients and clocks."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from tests.support.network.fault_proxy import FaultProxy, Habit, reply_of
from tests.support.waiting import until
from tests.system.faults.fault import Begin
from tests.system.faults.site import Site


def killed(service: str) -> Begin:
    """Kill a model's service; whoever started it starts it again."""

    @asynccontextmanager
    async def begin(site: Site) -> AsyncIterator[None]:
        os.kill(site.model_pid(service), signal.SIGKILL)
        yield

    return begin


def stopped(service: str) -> Begin:
    """Stop a process, as one is that swaps or is being debugged: it keeps its connections, and says nothing."""

    @asynccontextmanager
    async def begin(site: Site) -> AsyncIterator[None]:
        pid = site.gateway.process.pid if service == "gateway" else site.model_pid(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            if service == "gateway":
                await until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
                await until(lambda: site.load.waiting_s > 2)
            else:
                yield
        finally:
            os.kill(pid, signal.SIGCONT)
        if service == "gateway":
            yield

    return begin


@asynccontextmanager
async def gateway_killed(site: Site) -> AsyncIterator[None]:
    """Kill the gateway in the midst of answers, and start another."""
    await asyncio.to_thread(site.gateway.stop, signal.SIGKILL)
    try:
        yield
    finally:
        await asyncio.to_thread(site.gateway.start)


def link(to: str, habit: Habit, *, pause_s: float = 0.0, replacement: bytes = b"") -> Begin:
    """Spoil the way to a model."""

    @asynccontextmanager
    async def begin(site: Site) -> AsyncIterator[None]:
        proxy: FaultProxy = site.policy if to == "policy" else site.downstream
        await proxy.behave(habit, pause_s=pause_s, replacement=replacement)
        try:
            yield
        finally:
            await proxy.behave("pass")

    return begin


NONSENSE = reply_of(b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": 7}}], "prompts": "x"}')
CUT_JSON = reply_of(b'{"id": "1", "object": "chat.completion", "choices": [{"index": 0, "mess')
LOGIN_PAGE = reply_of(b"<html>Sign in to the hospital's network</html>", kind="text/html")


@asynccontextmanager
async def slow_clients(site: Site) -> AsyncIterator[None]:
    """Fifty clients that send a header and then nothing, or half a body; when it ends they hang up."""
    port = int(site.gateway.url.rpartition(":")[2])
    head = (
        f"POST /vqa HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.gateway.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 5000\r\n"
    ).encode()
    writers = []
    for number in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + (b'\r\n{"image": "' if number % 2 else b""))
        writers.append(writer)
    try:
        yield
    finally:
        for writer in writers:
            writer.close()


@asynccontextmanager
async def hang_ups(site: Site) -> AsyncIterator[None]:
    """Fifty clients that ask and hang up before they have the reply."""
    port = int(site.gateway.url.rpartition(":")[2])
    ended = asyncio.Event()

    async def ask_and_leave(number: int) -> None:
        while not ended.is_set():
            body = site.load.questions[number % len(site.load.questions)].body
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            head = (
                f"POST /vqa HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.gateway.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            site.hung_up += 1
            await asyncio.sleep(0.02 * (number % 25))
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            writer.transport.abort()
            await asyncio.sleep(0.5)

    async with asyncio.TaskGroup() as tasks:
        for number in range(50):
            tasks.create_task(ask_and_leave(number))
        try:
            yield
        finally:
            ended.set()


def faketime() -> Path | None:
    """The library that gives one process another clock, or None where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


def clock_stepped(by: str) -> Begin:
    """Start the gateway with a clock of its own, and set it while it runs; then start it with the machine's again."""

    @asynccontextmanager
    async def begin(site: Site) -> AsyncIterator[None]:
        clock = site.gateway.folder / "clock"
        clock.write_text("+0")
        site.gateway.environment_beside = {
            "LD_PRELOAD": str(faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        await site.restart()
        clock.write_text(by)
        try:
            yield
        finally:
            site.gateway.environment_beside = {}
            await site.restart()

    return begin
