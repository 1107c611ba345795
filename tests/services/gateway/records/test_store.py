"""The store itself: what comes out of it, in which order, and what it refuses; on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from services.gateway.database_url import database_url
from services.gateway.records.connection.database import Database
from services.gateway.records.entities import Review, Slice
from services.gateway.records.errors import (
    FeedbackFullError,
    FeedbackRefusedError,
    OtherQuestionError,
    RecordRefusedError,
    RecordsAwayError,
    ReviewedError,
    UnknownAnswerError,
)
from services.gateway.records.reviewed_answer import ReviewedAnswer
from services.gateway.records.store import RecordStore
from services.gateway.reviews.store import ReviewStore
from tests.services.gateway.conftest import HASH_SECRET
from tests.services.gateway.records.conftest import Place, record
from tests.support.calibration_keys import whole_key

PAIR = whole_key(downstream="model-1", policy="policy-1", estimator="cgp", answer_template="answer-compact@1")


async def test_a_reviewed_answer_comes_out_as_it_went_in(store: RecordStore) -> None:
    kept = record(at=datetime(2026, 3, 1, 12, 30, 15, 250_001, tzinfo=UTC), stated=0.1 + 0.2, picture=b"\x89PNG\0")
    await store.add([kept])
    said = await store.give_feedback(kept.id, Review("dr. x", "it was A", correct_option="A"))
    assert said.correct is False
    (found,) = await store.reviewed()
    assert found == ReviewedAnswer(
        id=kept.id,
        at=datetime(2026, 3, 1, 12, 30, 15, 250_001, tzinfo=UTC),
        reviewed_at=said.at,
        key=PAIR,
        calibrator="platt-cgp",
        stated=0.1 + 0.2,
        confidence=0.7,
        signals={"agreement": 0.5},
        decision="answer",
        max_risk=0.1,
        correct=False,
        groups={"modality": "CT"},
        guard="guard-cgp",
    )
    stored = await store.get(kept.id)
    assert (stored.row["at"], stored.row["stated"]) == (kept.row["at"], 0.1 + 0.2)
    assert stored.feedback == (said,)
    assert await store.picture(kept.id) == b"\x89PNG\0"


async def test_an_answer_given_again_replaces_what_nobody_has_judged(store: RecordStore) -> None:
    kept, judged = record(letter="A", picture=b"1"), record(letter="A")
    await store.add([kept, judged])
    await store.give_feedback(judged.id, Review("x", right=True))
    asked = {name: kept.row[name] for name in ("image_sha256", "question_sha256", "options_sha256", "groups")}
    await store.check_repeated(kept.id, asked)
    await store.check_repeated(record().id, asked)
    with pytest.raises(ReviewedError):
        await store.check_repeated(judged.id, asked)
    with pytest.raises(OtherQuestionError):
        await store.check_repeated(kept.id, asked | {"groups": {}})
    later = [record(id=each.id, letter="C", at=each.row["at"] + timedelta(seconds=1)) for each in (kept, judged)]
    await store.add([*later, later[0]])
    assert (await store.get(kept.id)).row["letter"] == "C"
    assert (await store.get(judged.id)).row["letter"] == "A"
    assert await store.picture(kept.id) == b"1"


async def test_a_threshold_is_no_promise(store: RecordStore) -> None:
    kept = record(guarantee=False, max_risk=0.1)
    await store.add([kept])
    await store.give_feedback(kept.id, Review("x", right=True))
    assert [each.max_risk for each in await store.reviewed()] == [None]


async def test_the_stream_counts_the_first_word_and_the_export_the_last(store: RecordStore) -> None:
    first, second, third = (record() for _ in range(3))
    await store.add([first, second, third])
    for each, option in ((second, "B"), (first, "B"), (second, "C"), (second, "B"), (first, "C")):
        await store.give_feedback(each.id, Review("x", correct_option=option))
    stream = await store.reviewed()
    assert [(each.id, each.correct) for each in stream] == [(second.id, True), (first.id, True)]
    exported = await store.export(Slice())
    assert [(each.answer.id, each.answer.correct) for each in exported] == [(second.id, True), (first.id, False)]
    assert exported[1].correct_option == "C"
    stored = await store.get(second.id)
    assert [each.correct_option for each in stored.feedback] == ["B", "C", "B"]
    assert [(each.decision, each.answers, each.reviewed) for each in await store.counts(Slice())] == [("answer", 3, 2)]


async def test_a_reader_of_the_stream_goes_on_where_it_was_and_misses_nothing(place: Place) -> None:
    # A clock that is set back, and stands: what comes later must be later all the same.
    times = iter([datetime(2026, 1, 1, tzinfo=UTC) - timedelta(minutes=min(step, 3)) for step in range(6)])
    store = RecordStore(Database(database_url(place.url), timeout_s=2.0), HASH_SECRET, clock=lambda: next(times))
    records = [record() for _ in range(6)]
    await store.add(records)
    for each in records:
        await store.give_feedback(each.id, Review("x", right=True))
    everything = await store.reviewed()
    assert [each.id for each in everything] == [each.id for each in records]
    assert all(one.reviewed_at < other.reviewed_at for one, other in pairwise(everything))
    read: list[ReviewedAnswer] = []
    while more := await store.reviewed(after=(read[-1].reviewed_at, read[-1].id) if read else None, limit=4):
        read += more
    assert read == everything
    assert await store.reviewed_latest(2) == everything[-2:]
    pages = [await store.export(Slice(), limit=4)]
    last = pages[0][-1].answer
    pages.append(await store.export(Slice(), after=(last.reviewed_at, last.id), limit=4))
    assert [each.answer for page in pages for each in page] == everything
    await store.close()


async def test_feedback_from_many_at_once_is_kept_in_one_order(place: Place) -> None:
    """Two gateways, as two stores: exactly one word on an answer is the first, and exactly one the latest."""
    stores = [
        RecordStore(Database(database_url(place.url), timeout_s=10.0), HASH_SECRET, deadline_s=20) for _ in range(2)
    ]
    kept = record()
    await stores[0].add([kept])
    async with anyio.create_task_group() as tasks:
        for number in range(16):
            tasks.start_soon(
                stores[number % 2].give_feedback, kept.id, Review(f"person {number}", right=number % 2 == 0)
            )
    stored = await stores[1].get(kept.id)
    assert sorted(each.who for each in stored.feedback) == sorted(f"person {number}" for number in range(16))
    assert all(one.at < other.at for one, other in pairwise(stored.feedback))
    assert [each.correct for each in await stores[0].reviewed()] == [stored.feedback[0].correct]
    assert [each.who for each in await stores[0].export(Slice())] == [stored.feedback[-1].who]
    for each in stores:
        await each.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, Review("x", correct_option="D")),
        ({"letters": "", "letter": None}, Review("x", correct_option="A")),
        ({"has_verdict": False, "letter": None}, Review("x", right=True)),
    ],
    ids=["no such option", "open question", "no answer to be right"],
)
async def test_what_does_not_fit_the_answer_is_refused(
    store: RecordStore, changes: dict[str, object], said: Review
) -> None:
    kept = record(**changes)
    await store.add([kept])
    with pytest.raises(FeedbackRefusedError):
        await store.give_feedback(kept.id, said)
    assert await store.reviewed() == []


async def test_an_answer_without_a_verdict_is_wrong_whatever_was_right(store: RecordStore) -> None:
    kept = record(has_verdict=False, letter=None, stated=None, confidence=None)
    await store.add([kept])
    assert (await store.give_feedback(kept.id, Review("x", correct_option="A"))).correct is False


async def test_there_is_an_end_to_feedback_on_one_answer(place: Place) -> None:
    store = RecordStore(Database(database_url(place.url), timeout_s=2.0), HASH_SECRET, max_feedback=3)
    full, other = record(), record()
    await store.add([full, other])
    for _ in range(3):
        await store.give_feedback(full.id, Review("x", right=True))
    with pytest.raises(FeedbackFullError):
        await store.give_feedback(full.id, Review("x", right=True))
    await store.give_feedback(other.id, Review("x", right=True))
    assert len((await store.get(full.id)).feedback) == 3
    await store.close()


async def test_struck_feedback_leaves_room_for_true_feedback_but_not_for_ever(place: Place) -> None:
    store = RecordStore(Database(database_url(place.url), timeout_s=2.0), HASH_SECRET, max_feedback=2)
    kept = record()
    await store.add([kept])
    for first in range(1, 20, 2):  # ten times two
        for _ in range(2):
            await store.give_feedback(kept.id, Review("script", right=False))
        with pytest.raises(FeedbackFullError):
            await store.give_feedback(kept.id, Review("dr. x", right=True))
        await ReviewStore(store).strike([first, first + 1], "dr. admin", None)
    with pytest.raises(FeedbackFullError):
        await store.give_feedback(kept.id, Review("dr. x", right=True))
    assert len((await store.get(kept.id)).feedback) == 20
    await store.close()


async def test_slices_are_of_the_time_of_the_answer_and_of_the_pair(store: RecordStore) -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    early, late = (
        record(at=day, estimator="verbalized", policy=None),
        record(at=day + timedelta(days=1), decision="defer"),
    )
    await store.add([early, late, record(at=day, letters="", letter=None)])
    for each in (early, late):
        await store.give_feedback(each.id, Review("x", right=False))

    async def found(wanted: Slice) -> set[str]:
        return {each.answer.id for each in await store.export(wanted)}

    assert await found(Slice(since=day + timedelta(hours=1))) == {late.id}
    assert await found(Slice(until=day + timedelta(days=1))) == {early.id}
    assert await found(Slice(estimator="verbalized")) == {early.id}
    assert await found(Slice(policy="policy-1", downstream="model-1", answer_template="answer-compact@1")) == {late.id}
    assert await found(Slice(downstream="model-2")) == set()
    counted = [(each.key, each.decision, each.answers, each.reviewed) for each in await store.counts(Slice())]
    other = whole_key(downstream="model-1", policy=None, estimator="verbalized", answer_template="answer-compact@1")
    assert sorted(counted, key=str) == sorted([(PAIR, "defer", 1, 1), (other, "answer", 1, 1)], key=str)


async def test_answers_of_another_decoding_are_counted_apart_and_older_ones_say_nothing_of_it(
    store: RecordStore,
) -> None:
    assert PAIR.decoding is not None
    warm = PAIR.model_copy(update={"decoding": PAIR.decoding.model_copy(update={"temperature": 1.5})})
    old = PAIR.model_copy(update={"decoding": None, "picture_preparation": None})
    keys = [PAIR, PAIR, warm, old, old, old]
    records = [record(**key.model_dump(mode="json")) for key in keys]
    await store.add(records)
    assert {each.key: each.answers for each in await store.counts(Slice())} == {PAIR: 2, warm: 1, old: 3}
    for each in records:
        await store.give_feedback(each.id, Review("x", right=True))
    assert [each.key for each in await store.reviewed()] == keys


async def test_adding_again_changes_nothing(store: RecordStore, place: Place) -> None:
    kept = record(picture=b"png")
    await store.add([kept])
    await store.add([kept, record()])
    assert place.query("SELECT count(*) FROM answers") == [(2,)]
    assert place.query("SELECT count(*) FROM pictures") == [(1,)]


async def test_one_that_is_refused_takes_none_with_it_and_is_known_as_refused(store: RecordStore, place: Place) -> None:
    with pytest.raises(RecordRefusedError):
        await store.add([record(), record(downstream=None)])
    assert place.query("SELECT count(*) FROM answers") == [(0,)]


async def test_old_answers_go_with_all_that_belongs_to_them_a_few_at_a_time(store: RecordStore, place: Place) -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    records = [record(at=day + timedelta(hours=hour), picture=b"png") for hour in range(5)]
    await store.add(records)
    for each in records:
        await store.give_feedback(each.id, Review("x", right=True))
    before = day + timedelta(hours=3)
    assert [await store.prune(before, 2) for _ in range(3)] == [2, 1, 0]
    for table in ("answers", "pictures", "feedback"):
        assert place.query(f"SELECT count(*) FROM {table}") == [(2,)]  # noqa: S608
    with pytest.raises(UnknownAnswerError):
        await store.get(records[0].id)


async def test_nothing_is_stored_in_a_file_that_was_moved_away(tmp_path: Path) -> None:
    """SQLite goes on writing into a file that has been deleted or replaced, and all of that would be lost."""
    file, away = tmp_path / "records.db", tmp_path / "away.db"
    store = RecordStore(Database(database_url(f"sqlite:///{file}"), timeout_s=1.0))
    kept, later = record(), record()
    await store.add([kept])
    with closing(sqlite3.connect(file)) as copied, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        copied.backup(copy)
    file.rename(away)
    for asked in (store.add([later]), store.get(kept.id), store.reviewed()):
        with pytest.raises(RecordsAwayError, match="FileNotFoundError"):
            await asked
    assert not file.exists()
    (tmp_path / "copy.db").rename(file)  # another file in its place, as after a restore
    await store.add([later])
    assert (await store.get(kept.id)).row["id"] == kept.id
    await store.close()
    with closing(sqlite3.connect(file)) as stored:
        assert {row[0] for row in stored.execute("SELECT id FROM answers")} == {kept.id, later.id}


async def test_a_database_that_is_away_is_said_to_be(store: RecordStore, place: Place) -> None:
    hasty = RecordStore(Database(database_url(place.url), timeout_s=0.1), HASH_SECRET, deadline_s=20)
    kept = record()
    await store.add([kept])
    await hasty.add([record()])
    with place.away():
        with pytest.raises(RecordsAwayError):
            await hasty.add([record()])
        with pytest.raises(RecordsAwayError):
            await hasty.give_feedback(kept.id, Review("x", right=True))
    await hasty.add([record()])
    assert place.query("SELECT count(*) FROM answers") == [(3,)]
    assert await hasty.reviewed() == []
    await hasty.close()
