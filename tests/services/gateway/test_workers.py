"""A gateway of several worker processes: one service to whoever asks, watches or stops it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.common.registry.directory import Registry
from services.gateway.settings import GatewaySettings
from tests.services.gateway.conftest import MODEL, TEMPLATE, picture
from tests.services.gateway.upstream import Upstream
from tests.support.servers import free_port
from tests.support.waiting import until, wait_until

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[3]
_STARTED_S = 90
_LOOK_S = 0.2
"""Between two looks at processes: each goes through all of the machine's, on the cores that workers need to start."""


_PAUSE_S = 0.05
"""Between a client's questions: enough of them meet each change, and workers have the cores to start on."""


class Workers:
    """A gateway's processes.

    Args:
        process: The one that was started.
        url: Where it answers.
        log: What it wrote.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log

    def pids(self) -> set[int]:
        """The workers that run."""
        found = set()
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # one that is replaced ends while it is looked at
                if child.status() != psutil.STATUS_ZOMBIE and "--multiprocessing-fork" in child.cmdline():
                    found.add(child.pid)
        return found

    def value(self, name: str, **labels: str) -> float:
        """A metric's value, whichever worker is asked for it."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def started(folder: Path, models: str, registry: Path, **settings: str) -> Iterator[Workers]:
    """Run a gateway as `python -m services.gateway`."""
    port = free_port()
    told = {
        "PORT": str(port),
        "WORKERS": "2",
        "POLICY_URL": models,
        "DOWNSTREAM_URL": f"{models}/v1",
        "DOWNSTREAM_MODEL": MODEL,
        "ANSWER_TEMPLATE": TEMPLATE,
        "REGISTRY": str(registry),
        "SHIPPED": str(folder / "nothing"),
        "RECORDS_URL": f"sqlite:///{folder}/records.db",
        "RECORD_DEADLINE_S": "20",
        **settings,
    }
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TRUSTVQA_")}
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.gateway"],
            cwd=ROOT,
            env={**clean, **{f"TRUSTVQA_GATEWAY_{name}": value for name, value in told.items()}},
            stdout=stream,
            stderr=stream,
        )
    try:
        yield Workers(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture(scope="module")
def workers(
    upstream_server: tuple[Upstream, str], registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    with started(tmp_path_factory.mktemp("workers"), upstream_server[1], registry.root) as found:
        # They listen a moment after their applications have started.
        wait_until(lambda: _all_have_started(found, 2) and _answers(found), _STARTED_S, poll_s=_LOOK_S)
        yield found


def _all_have_started(workers: Workers, count: int) -> bool:
    assert workers.process.poll() is None, workers.log.read_text()
    return workers.log.read_text().count("Application startup complete") >= count


def _answers(workers: Workers) -> bool:
    try:
        return httpx.get(f"{workers.url}/health/live", timeout=30).is_success
    except httpx.TransportError:
        return False


async def _ask(http: httpx.AsyncClient, number: int, **headers: str) -> httpx.Response:
    files = {"image": ("a.png", picture(), "image/png")}
    data = {"question": f"Which shape has number {number}?", "options": ["Round", "Oval"]}
    return await http.post("/vqa", files=files, data=data, headers=headers)


def test_metrics_are_of_all_workers_whoever_is_asked(workers: Workers, upstream: Upstream) -> None:
    before = workers.value("gateway_answers_total")

    async def ask() -> list[httpx.Response]:
        # A connection each: which worker takes it is the system's choice.
        async with httpx.AsyncClient(base_url=workers.url, timeout=60) as http:
            return await asyncio.gather(*(_ask(http, number) for number in range(12)))

    replies = asyncio.run(ask())
    assert [(reply.status_code, reply.json()["recorded"]) for reply in replies] == [(200, True)] * 12
    for _ in range(6):
        assert workers.value("gateway_answers_total") - before == 12
        assert workers.value("gateway_records_total", outcome="lost") == 0
    several = sum(psutil.Process(pid).memory_info().rss for pid in workers.pids())
    assert workers.value("process_resident_memory_bytes") > 0.9 * several
    wait_until(lambda: workers.value("gateway_records_waiting") == 0)


def test_one_idempotency_key_is_one_answer_whichever_worker_has_it(workers: Workers, upstream: Upstream) -> None:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=workers.url, timeout=60) as http:
            return await asyncio.gather(
                *(_ask(http, number % 2, **{"Idempotency-Key": "one-and-the-same"}) for number in range(8))
            )

    replies = asyncio.run(ask())
    # Two questions under one key: those of the one are answered, as one answer, and the others are refused.
    statuses = [[replies[number].status_code for number in range(first, 8, 2)] for first in (0, 1)]
    assert sorted(statuses) == [[200] * 4, [422] * 4]
    assert len({reply.json()["id"] for reply in replies if reply.status_code == 200}) == 1


def test_a_worker_that_died_is_replaced_and_what_it_counted_stays(workers: Workers, upstream: Upstream) -> None:
    before, counted = workers.pids(), workers.value("gateway_answers_total")
    gone = min(before)
    os.kill(gone, signal.SIGKILL)
    wait_until(lambda: len(workers.pids() - before) == 1, _STARTED_S, poll_s=_LOOK_S)
    assert gone not in workers.pids()
    assert workers.value("gateway_answers_total") == counted
    wait_until(lambda: _all_have_started(workers, 3), _STARTED_S, poll_s=_LOOK_S)


async def test_workers_are_replaced_one_after_another_and_no_question_fails(
    workers: Workers, upstream: Upstream
) -> None:
    before, statuses, replaced = workers.pids(), [], asyncio.Event()

    async def ask_on(number: int) -> None:
        async with httpx.AsyncClient(base_url=workers.url, timeout=60) as http:
            while not replaced.is_set():
                statuses.append((await _ask(http, number)).status_code)
                await asyncio.sleep(_PAUSE_S)

    async def replace() -> None:
        await until(lambda: len(statuses) >= 5)
        workers.process.send_signal(signal.SIGHUP)
        # One after the other.
        await until(lambda: len(now := workers.pids()) == 2 and not now & before, 2 * _STARTED_S, poll_s=_LOOK_S)
        replaced.set()

    await asyncio.gather(*(ask_on(number) for number in range(3)), replace())
    assert set(statuses) == {200}


def test_workers_end_when_the_gateway_is_killed(workers: Workers) -> None:
    left = [psutil.Process(pid) for pid in workers.pids()]
    workers.process.kill()
    workers.process.wait()
    assert psutil.wait_procs(left, 30)[1] == []


def test_a_gateway_whose_workers_cannot_start_ends_and_says_why(tmp_path: Path) -> None:
    with started(tmp_path, "http://127.0.0.1:9", tmp_path / "registry", ANSWER_TEMPLATE="answer-none@1") as workers:
        assert workers.process.wait(_STARTED_S) == 1
        assert "answer-none@1" in workers.log.read_text()


def test_bounds_are_shared_out() -> None:
    given: dict[str, Any] = {"max_in_flight": 64, "max_waiting": 130, "max_uploads": 32, "max_large_uploads": 4}
    one = GatewaySettings(workers=4, image_workers=2, max_connections=512, **given).for_one_worker()
    assert (one.max_in_flight, one.max_waiting, one.max_uploads, one.max_large_uploads) == (16, 32, 8, 1)
    assert (one.image_workers, one.max_connections) == (1, 128)
    assert GatewaySettings(workers=4, max_waiting=0).for_one_worker().max_waiting == 0
