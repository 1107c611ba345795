"""Pictures that attack decoders: refused at once by every service, and within its memory."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict
from typing import Any

import httpx
import psutil
import pytest
from structlog.testing import capture_logs

from benchmarks.pictures.attacks import five_attacks, progressive_jpeg
from benchmarks.pictures.mutations import mutated_files
from benchmarks.pictures.questions import chat_body, gateway_body
from benchmarks.serving.processes import Service, running_service
from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits
from services.common.pictures.pool import PicturePool, WorkerLimits
from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from services.gateway.intake.picture_task import arguments, prepare_and_describe
from tests.services.common.engine.tiny import save_vision_model
from tests.support.servers import free_port, running
from tests.support.waiting import until, wait_until

JSON = {"Content-Type": "application/json"}
SLOW = progressive_jpeg(8000, 8000, 60)  # within all caps, and half a second or more of work
MUTATED = 400
SLOWED = "a client is slowed down, as its requests are refused over and over"
MEMORY = 200_000_000


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A gateway as a process of its own, whose models are away."""
    folder = tmp_path_factory.mktemp("gateway")
    settings = {"REGISTRY": str(folder / "registry"), "RECORDS_URL": "", "POLICY_URL": "http://127.0.0.1:9"}
    settings |= {"DOWNSTREAM_URL": "http://127.0.0.1:9/v1", "SHIPPED": str(folder)}
    with running_service("gateway", free_port(), settings, folder, ready="/health/live") as service:
        wait_until(lambda: len(decoders(service)) == 2)
        yield service
        family = psutil.Process(service.process.pid).children(recursive=True)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []  # it was asked to end, and its processes with it


@pytest.fixture(scope="module")
def downstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A downstream service with an untrained miniature, and its settings as they come."""
    path = save_vision_model(tmp_path_factory.mktemp("model"))
    with running(downstream_app(DownstreamSettings(model_path=str(path), device="cpu"))) as url:
        wait_until(lambda: httpx.get(f"{url}/health/ready").status_code == httpx.codes.OK)
        yield url


def decoders(service: Service) -> set[int]:
    """Processes of a service that decode, alive: those that its fork server started."""
    own, found = psutil.Process(service.process.pid), set()
    for each in own.children(recursive=True):
        try:
            if each.ppid() != own.pid and each.status() != psutil.STATUS_ZOMBIE:
                found.add(each.pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize("name", five_attacks())
def test_the_gateway_refuses_attacks_at_once(gateway: Service, name: str) -> None:
    data, status, fault = five_attacks()[name]
    response = httpx.post(f"{gateway.url}/vqa", content=gateway_body(data), headers=JSON, timeout=30)
    assert response.status_code == status
    assert response.json()["type"].endswith(f":{fault}")
    assert gateway.rss_mb() < 500


@pytest.mark.parametrize("name", five_attacks())
def test_chat_completions_refuse_the_same_in_the_same_words(gateway: Service, downstream: str, name: str) -> None:
    data, _, _ = five_attacks()[name]
    told = httpx.post(f"{downstream}/v1/chat/completions", content=chat_body(data), headers=JSON, timeout=30)
    refused = httpx.post(f"{gateway.url}/vqa", content=gateway_body(data), headers=JSON, timeout=30)
    assert told.status_code == 400
    error = told.json()["error"]
    assert (error["code"], error["message"]) == ("invalid_image", refused.json()["detail"])


def test_who_sends_bad_pictures_over_and_over_is_slowed_down_by_both(gateway: Service, downstream: str) -> None:
    with capture_logs() as logged:
        send_until(
            lambda: any(each["event"] == SLOWED for each in logged),
            f"{downstream}/v1/chat/completions",
            chat_body(b"no picture"),
        )
    send_until(lambda: SLOWED in gateway.log.read_text(), f"{gateway.url}/vqa", gateway_body(b"no picture"))


def send_until(condition: Callable[[], bool], url: str, body: bytes) -> None:
    """Send a body from an address of its own, over and over, until something is so."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), headers=JSON) as http:
        for _ in range(200):
            assert http.post(url, content=body).status_code in {400, 415}
            if condition():
                return
    raise AssertionError("nothing happened")


async def test_clients_that_hang_up_end_the_decoding(gateway: Service) -> None:
    for _ in range(3):
        await hang_up_while_decoding(gateway)


async def hang_up_while_decoding(gateway: Service) -> None:
    before = decoders(gateway)
    spent = {pid: cpu_s(pid) for pid in before}
    _, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    body = gateway_body(SLOW)
    writer.write(b"POST /vqa HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
    writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    await until(lambda: any(cpu_s(pid) > spent[pid] + 0.15 for pid in before))  # more than it takes to start
    writer.transport.abort()
    await until(lambda: len(decoders(gateway) - before) > 0)
    assert len(decoders(gateway)) <= 2
    await until(lambda: len(decoders(gateway)) == 2)


def cpu_s(pid: int) -> float:
    return sum(psutil.Process(pid).cpu_times()[:2])


@pytest.fixture
async def pool() -> AsyncIterator[PicturePool]:
    async with PicturePool(prepare_and_describe, WorkerLimits(2, MEMORY, 10)) as pool:
        yield pool


async def test_mutated_files_become_pictures_or_refusals_within_the_memory(pool: PicturePool) -> None:
    asked: dict[str, Any] = dict(arguments(PictureLimits(max_memory=MEMORY), None, None, ["picture-and-words@2"]))
    assert asked["limits"] == asdict(PictureLimits(max_memory=MEMORY))
    left, faults = mutated_files(MUTATED, seed=1), dict[str, int]()

    async def send() -> None:
        for file in left:
            try:
                await pool.run(file, asked)
                fault = "none"
            except PictureError as error:
                fault = error.fault
            faults[fault] = faults.get(fault, 0) + 1

    await asyncio.gather(send(), send())
    assert sum(faults.values()) == MUTATED
    assert min(faults[each] for each in ("none", "damaged-image", "unsupported-image", "image-too-large")) > 0


def test_mutated_files_are_the_same_for_the_same_seed() -> None:
    first = list(mutated_files(50, seed=3))
    assert first == list(mutated_files(50, seed=3))
    assert first != list(mutated_files(50, seed=4))
    assert len(base64.b64encode(max(first, key=len))) < 2_000_000
