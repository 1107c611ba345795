"""Erasing one record's content leaves nothing of it in the database, and the audit log whole."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import pytest

from services.gateway.records.entities import Review
from services.gateway.records.erasing import erase
from services.gateway.records.errors import UnknownAnswerError
from services.gateway.records.store import RecordStore
from services.gateway.reviews.store import ReviewStore
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.records.audit.conftest import audited, entries_of
from tests.services.gateway.records.conftest import Place, record
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at

PLANTED = "Jane-Doe-1970"
TEXTS = {
    "question": f"Is {PLANTED} well?",
    "options": {"A": PLANTED, "B": "No"},
    "guidance": f"Look at {PLANTED}.",
    "explanation": f"{PLANTED} is well.",
    "reply": {"explanation": PLANTED},
}


async def test_content_is_gone_and_the_rest_stays_provable(store: RecordStore, place: Place) -> None:
    mine, other = record(**TEXTS, picture=PLANTED.encode()), record(**TEXTS)
    await store.add([mine, other])
    for each in (mine, other):
        await store.give_feedback(each.id, Review("Dr. A", comment=f"{PLANTED} called", right=True))
    await ReviewStore(store).strike([1], "Dr. Admin", f"of {PLANTED}")
    assert await erase(store, mine.id, "Dr. Admin", "admins")
    kept = await store.get(mine.id)
    assert PLANTED not in repr(kept)
    assert not kept.has_picture
    assert (kept.row["letter"], kept.row["confidence"], kept.feedback[0].who) == ("B", 0.7, "Dr. A")
    assert kept.row["erased_at"] is not None
    assert place.query("SELECT count(*) FROM strikes WHERE note IS NOT NULL") == [(0,)]
    assert PLANTED in repr(await store.get(other.id))
    assert entries_of(place)[-1]["body"] == {"answer": mine.id, "who": "Dr. Admin", "key": "admins"}
    assert not await erase(store, mine.id, "Dr. Admin", None)  # once is enough
    report = await audited(store, place)
    assert (report.is_whole, [each["kind"] for each in entries_of(place)].count("erase")) == (True, 1)
    with pytest.raises(UnknownAnswerError):
        await erase(store, str(uuid.uuid4()), "Dr. Admin", None)


def test_administrators_erase_over_http_and_it_is_written_down_who(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    keys = keys_at(tmp_path / "keys.json", app="ask", office="admin")
    with (
        make_gateway(api_keys=tmp_path / "keys.json", record_texts=True) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        asked = client.post("/vqa", json=body(question=f"Is {PLANTED} well?"), headers=bearer(keys["app"]))
        answer = f"/vqa/{asked.json()['id']}"
        assert client.delete(answer, headers=bearer(keys["app"])).status_code == 403
        admin = bearer(keys["office"])
        assert client.get(answer, headers=admin).json()["texts"]["question"] == f"Is {PLANTED} well?"
        for _ in range(2):
            assert client.delete(answer, headers=admin).status_code == 204
        kept = client.get(answer, headers=admin).json()
        assert (kept["texts"], kept["erased_at"] is None) == (None, False)
        assert_problem(client.delete(f"/vqa/{uuid.uuid4()}", headers=admin), 404, "unknown-answer")
