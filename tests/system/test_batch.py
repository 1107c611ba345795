"""Batches through real processes: a gateway that is killed in the middle, and every line has one answer and one record.

`make test-batch` sends ten thousand; the suite some hundreds.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.waiting import wait_until
from tests.system.conftest import TRUSTVQA, Stack
from tests.system.faults.light_models import light_models
from tests.system.own_gateway import SAMPLE, OwnGateway
from trustvqa.client import BatchOutcome, Client, VqaQuestion

LINES = int(os.environ.get("BATCH_LINES", "120"))
OPTIONS = ["Round", "Oval"]


def picture() -> bytes:
    file = BytesIO()
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).save(file, "PNG")
    return file.getvalue()


def questions(number: int) -> Iterator[VqaQuestion]:
    image = picture()
    return (
        VqaQuestion(image, f"Which shape is mark {each}?", OPTIONS, f"line-{each}", method="verbalized")
        for each in range(number)
    )


def records(gateway: OwnGateway) -> list[tuple[str, str]]:
    with sqlite3.connect(gateway.file) as database:
        return database.execute("SELECT id, letter FROM answers").fetchall()


def test_every_line_is_answered_once_although_the_gateway_is_killed(tmp_path: Path) -> None:
    outcomes: list[BatchOutcome] = []
    failures: list[BaseException] = []
    with light_models() as models:
        gateway = OwnGateway(models, tmp_path)
        gateway.start()

        def ask() -> None:
            try:
                with Client(gateway.url, api_key=gateway.key) as client:
                    for outcome in client.batch(questions(LINES), key="a-batch-of-one-test", concurrency=32):
                        outcomes.append(outcome)
            except BaseException as error:
                failures.append(error)
                raise

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            wait_until(lambda: len(outcomes) >= LINES // 3 or bool(failures), 600)
            before = len(outcomes)
            gateway.stop(signal.SIGKILL)
            assert before < LINES
            gateway.start()
            asking.join(900)
            assert not asking.is_alive()
            assert failures == []
            assert Counter(each.id for each in outcomes) == Counter(f"line-{each}" for each in range(LINES))
            results = {each.id: each.unwrap() for each in outcomes}
            kept = records(gateway)
            assert len(kept) == LINES
            assert dict(kept) == {
                each.id: said.letter if (said := each.answer or each.guess) else None for each in results.values()
            }
            # What is sent again is told again: no model is asked, and no record is added.
            with Client(gateway.url, api_key=gateway.key) as client:
                again = list(client.batch(questions(min(LINES, 50)), key="a-batch-of-one-test"))
            assert all(each.unwrap().replayed for each in again)
            assert {each.id: each.unwrap().id for each in again}.items() <= {
                name: each.id for name, each in results.items()
            }.items()
            assert len(records(gateway)) == LINES
        finally:
            gateway.stop()


@pytest.mark.system
@pytest.mark.xdist_group("system")
def test_the_command_asks_the_shipped_miniatures(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(SAMPLE.read_bytes())
    rows = "".join(f"What shape are the findings ({number})?,Round,Oval,Oval,a.png\n" for number in range(24))
    (tmp_path / "mine.csv").write_text("asked,left,right,truth,file\n" + rows)
    columns = "question=asked,options=left+right,answer=truth,image=file"
    done = subprocess.run(
        [TRUSTVQA, "batch", "mine.csv", "-o", "results.jsonl", "--columns", columns, "--gateway", stack.gateway],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len({each["id"] for each in results}) == len(results) == 24
    assert {each["recorded"] for each in results} == {True}
    for each in results:
        assert (each["answer"] is None) == (each["decision"] == "defer")
    answered = sum(each["decision"] == "answer" for each in results)
    assert f"{answered} answered, {24 - answered} deferred to a person, 0 failed" in done.stderr
