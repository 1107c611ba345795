"""A second question about a picture is answered as the first one was, by what was kept or without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits
from prompt4trust.shift import DESCRIPTORS, Described
from services.common.pictures.kept_pictures import Found, KeptPictures
from services.common.pictures.pool import PicturePool, WorkerLimits
from services.gateway.intake.intake import Intake
from services.gateway.intake.later import Later
from services.gateway.intake.picture_task import prepare_and_describe
from services.gateway.intake.query import LineOrigin, Query
from services.gateway.intake.submission import Submission
from services.gateway.intake.uploads import Uploads
from services.gateway.question_schemas import Ask
from tests.prompt4trust.pictures.dicom.objects import bundled_file
from tests.prompt4trust.pictures.files import file_cases
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.intake.test_dicom import TWO, text
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at

LIMITS = PictureLimits(max_memory=200_000_000)
ASK = Ask(question="Which side is affected?", options={"A": "The left", "B": "The right"}, method="cgp")
FILES = {
    **{case.name: case.content() for case in file_cases()},
    **{name: bundled_file(name).read_bytes() for name in ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm")},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[PicturePool]:
    async with PicturePool(prepare_and_describe, WorkerLimits(2, LIMITS.max_memory, 20)) as pool:
        yield pool


def make_intake(pool: PicturePool, kept: KeptPictures | None) -> Intake:
    return Intake(("cgp",), LIMITS, 10**7, 10**7, 5.0, 5.0, Uploads(1), Uploads(1), pool, kept=kept)


async def take(intake: Intake, submission: Submission, asker: str | None = "key-1") -> tuple[Query, Any] | PictureError:
    """The query and its description, or why it is refused."""
    with Later() as later:
        try:
            query = await intake.take(submission, LineOrigin("client", None, None, asker), tuple(DESCRIPTORS), later)
            return query, comparable(await query.described)
        except PictureError as error:
            return error


def comparable(described: Mapping[str, Described]) -> Any:
    """A description with its order, to the last bit."""
    return [
        (name, [(trait, numbers.tobytes() if isinstance(numbers, np.ndarray) else numbers) for trait, numbers in
                each.traits.items()], list(each.twins.items()))
        for name, each in described.items()
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # a decoder's warning is a line in the log
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", FILES)
async def test_each_file_is_the_same_query_whether_it_was_kept_or_not(pool: PicturePool, name: str) -> None:
    counted: list[Found] = []
    kept = make_intake(pool, KeptPictures(50_000_000, 60, counted.append))
    submission = Submission(ASK, FILES[name])
    other = replace(submission, ask=ASK.model_copy(update={"question": "Is there a fracture?"}))
    alone, first, second = [await take(each, submission) for each in (make_intake(pool, None), kept, kept)]
    if isinstance(alone, PictureError):
        for each in (first, second):
            assert isinstance(each, PictureError)
            assert (each.fault, each.detail) == (alone.fault, alone.detail)
        assert counted == ["made", "made"]
        return
    assert not isinstance(first, PictureError)
    assert not isinstance(second, PictureError)
    assert alone[0].picture == first[0].picture == second[0].picture
    assert alone[1] == first[1] == second[1]
    assert are_alike(await take(make_intake(pool, None), other), await take(kept, other))
    assert counted == ["made", "kept", "kept"]


def are_alike(one: tuple[Query, Any] | PictureError, other: tuple[Query, Any] | PictureError) -> bool:
    """Whether two are the same picture, described alike."""
    assert not isinstance(one, PictureError)
    assert not isinstance(other, PictureError)
    return one[0].picture == other[0].picture and one[1] == other[1]


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_has_another_askers_picture_and_no_other_part_of_a_file_is_taken_for_it(pool: PicturePool) -> None:
    counted: list[Found] = []
    intake = make_intake(pool, KeptPictures(50_000_000, 60, counted.append))
    submission = Submission(ASK, TWO, "application/dicom", "a.dcm")

    def part(frame: int, window: Any) -> Submission:
        return replace(submission, ask=ASK.model_copy(update={"frame": frame, "window": window}))

    asked = [submission, part(1, None), part(3, None), part(1, "narrow"), part(1, "wide")]
    assert len({each.ask.choice for each in asked}) == len(asked)
    found = [await take(intake, each) for each in asked]
    assert counted == ["made"] * len(asked)
    assert found[1:] == [each for each in found[1:] if not isinstance(each, PictureError)]
    assert isinstance(await take(intake, replace(submission, filename="a.png")), PictureError)
    assert isinstance(await take(intake, replace(submission, media_type="image/png")), PictureError)
    del counted[:]
    await take(intake, submission, asker="key-2")
    await take(intake, submission, asker=None)
    await take(intake, submission)
    assert counted == ["made", "made", "kept"]


def known(reply: httpx.Response) -> dict[str, Any]:
    """A reply or refusal without what is new in each."""
    assert reply.status_code in (200, 422), reply.text
    return {name: value for name, value in reply.json().items() if name not in ("id", "timing_ms", "request_id")}


def test_replies_and_what_models_are_sent_are_the_same_with_and_without(
    client: httpx.Client, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    asked = [
        body(),
        body(image=text(picture("RGB", (300, 200), "JPEG"))),
        body(image=text(TWO), frame=1, window="narrow"),
        body(image=text(b"\x89PNG\r\n\x1a\n and no more")),
    ]

    def replies(http: httpx.Client) -> list[tuple[Any, list[Any]]]:
        found = []
        for each in asked:
            del upstream.asked[:]
            found.append((known(http.post("/vqa", json=each)), [*upstream.asked]))
        return found

    with make_gateway(kept_picture_bytes=0) as url, httpx.Client(base_url=url, timeout=20) as without:
        expected = replies(without)
        assert "gateway_pictures_total{" not in without.get("/metrics").text
    assert [replies(client), replies(client)] == [expected, expected]
    assert [len(sent) for _, sent in expected] == [1, 1, 1, 0]


def test_a_kept_picture_is_no_way_past_a_key_and_each_answer_has_its_record(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    keys = keys_at(tmp_path / "keys.json", ward="ask", clinic="ask", scraper="metrics")
    with make_gateway(api_keys=tmp_path / "keys.json") as url, httpx.Client(base_url=url, timeout=20) as http:
        answers = [http.post("/vqa", json=body(), headers=bearer(keys[name])) for name in ("ward", "ward", "clinic")]
        assert [each.status_code for each in answers] == [200] * 3
        assert http.post("/vqa", json=body()).status_code == 401
        assert http.post("/vqa", json=body(), headers=bearer(keys["scraper"])).status_code == 403
        assert len({each.json()["id"] for each in answers}) == 3
        assert all(each.json()["recorded"] for each in answers)
        metrics = http.get("/metrics", headers=bearer(keys["scraper"])).text
    assert 'gateway_pictures_total{found="made"} 2.0' in metrics
    assert 'gateway_pictures_total{found="kept"} 1.0' in metrics
    assert 'gateway_records_total{outcome="stored"} 3.0' in metrics
