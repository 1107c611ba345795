"""Kept replies of lines that are sent again: told while all that they rest on holds, and never afterwards."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.registry.directory import Registry
from services.gateway.answering.reply import WOULD_TELL
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.answering.test_shift import make_reference
from tests.services.gateway.batches.streams import line, send
from tests.services.gateway.conftest import MakeGateway, make_calibrator
from tests.services.gateway.records.conftest import Place, sqlite_place
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import wait_until

FIRST = make_calibrator("cgp", "policy-1", name="first", right=0.97)
OTHER = make_calibrator("cgp", "policy-1", name="other", right=0.5)
OTHER = OTHER.model_copy(update={"created": FIRST.created - timedelta(days=1)})


@pytest.fixture
def evidence(tmp_path: Path) -> Registry:
    """A registry of this test's own: two calibrators of one key, the first one live, and a guard."""
    registry = Registry(tmp_path / "registry")
    for each in (FIRST, OTHER):
        registry.calibrators.publish(each)
    registry.activate_calibrator("first", who="x")
    registry.guards.publish(make_guard())
    return registry


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return sqlite_place(tmp_path / "records.db")


def fitted_again(registry: Registry) -> None:
    refitted = make_calibrator("cgp", "policy-1", name="first", right=0.6)
    registry.calibrators.publish(refitted.model_copy(update={"created": FIRST.created + timedelta(days=1)}))


def guard_replaced(registry: Registry) -> None:
    registry.guards.publish(make_guard(name="newer", n=900))


CHANGES: dict[str, Callable[[Registry], Any]] = {
    "another calibrator is live": lambda registry: registry.activate_calibrator("other", who="x"),
    "the calibrator is withdrawn": lambda registry: next(registry.root.rglob("first*.json")).unlink(),
    "the calibrator is fitted again": fitted_again,
    "active.json is unreadable": lambda registry: (registry.root / "active.json").write_text("{"),
    "the guard is withdrawn": lambda registry: next(registry.root.rglob("guard-cgp*.json")).unlink(),
    "the guard is replaced": guard_replaced,
    "there are reference inputs": lambda registry: registry.references.publish(make_reference()),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "the accepted risk": {"max_risk": 0.001},
    "the guarantee's delta": {"risk_delta": 0.01},
    "the coverage": {"coverage": 0.5},
    "the limit of atypicality": {"atypicality_limit": 0.5},
}


def told(client: httpx.Client, key: str) -> dict[str, Any]:
    told, _ = send(client, [line("a")], key)
    return told["a"]


@pytest.mark.parametrize("change", [*CHANGES, *SETTINGS])
def test_a_reply_is_told_again_only_while_what_it_rests_on_holds(
    make_gateway: MakeGateway, upstream: Upstream, evidence: Registry, place: Place, change: str
) -> None:
    key, settings = str(uuid.uuid4()), {"registry": evidence.root, "records_url": place.url, "max_risk": 0.1}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        first, again = told(client, key), told(client, key)
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["reply"]["calibration"]["calibrator"] == "first"
    assert first["reply"]["decision"] == again["reply"]["decision"] == "answer"
    if change in CHANGES:
        CHANGES[change](evidence)
    asked = len(upstream.asked)
    changed = settings | SETTINGS.get(change, {})
    with make_gateway(**changed) as url, httpx.Client(base_url=url, timeout=20) as client:
        now, alone = told(client, key), told(client, str(uuid.uuid4()))
        assert now["replayed"] is False
        assert len(upstream.asked) == asked + 2
        changing = {"id": "", "timing_ms": {}}
        assert now["reply"] | changing == alone["reply"] | changing
        # The new reply is the one that is told from now on.
        assert told(client, key)["replayed"] is True


@pytest.mark.parametrize("lost", ["policy", "second-look"])
def test_a_reply_that_lost_something_for_a_moment_is_not_told_again(
    make_gateway: MakeGateway, upstream: Upstream, evidence: Registry, lost: str
) -> None:
    key, method = str(uuid.uuid4()), "cgp" if lost == "policy" else "cgp+self-check"
    tokens = ("The answer is", " B", " with confidence 95.")
    upstream.text, upstream.tokens = "".join(tokens), tokens
    with (
        make_gateway(registry=evidence.root, methods=(method, "verbalized")) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        if lost == "policy":
            upstream.policy = 500
        else:
            upstream.fails_from = 1
        assert lost in told(client, key)["reply"]["degraded"]
        upstream.policy, upstream.fails_from = "reply", None
        now, again = told(client, key), told(client, key)
    assert (now["replayed"], again["replayed"]) == (False, True)
    assert lost not in now["reply"]["degraded"]


def test_what_the_operator_changes_without_restart_counts_at_once(
    make_gateway: MakeGateway, upstream: Upstream, evidence: Registry
) -> None:
    key = str(uuid.uuid4())
    with (
        make_gateway(registry=evidence.root, confidence_threshold=0.9) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        first = told(client, key)
        evidence.activate_calibrator("other", who="x")
        now = told(client, key)
    assert now["replayed"] is False
    assert now["reply"]["calibration"]["calibrator"] == "other"
    assert (first["reply"]["decision"], now["reply"]["decision"]) == ("answer", "defer")


@pytest.mark.parametrize("withholds", [True, False])
def test_an_alarm_takes_replies_back_and_they_are_not_told_while_it_stands(
    make_gateway: MakeGateway, upstream: Upstream, evidence: Registry, withholds: bool
) -> None:
    key = str(uuid.uuid4())
    watching: dict[str, Any] = {"monitor_every_s": 0.02, "monitor_alpha": 0.5, "alarm_withholds": withholds}
    with make_gateway(registry=evidence.root, **watching) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert told(client, key)["reply"]["calibration"]["alarm"] is None
        others, _ = send(client, [line(str(number)) for number in range(40)], str(uuid.uuid4()))
        for each in others.values():
            said = client.post(f"/vqa/{each['reply']['id']}/feedback", json={"who": "x", "right": False})
            assert said.status_code == 201
        wait_until(lambda: client.get("/calibration.json").json()["status"] == "alarm")
        now = told(client, key)
        assert now["replayed"] is False
        assert now["reply"]["decision"] == ("defer" if withholds else "answer")
        if not withholds:
            assert now["reply"]["calibration"]["alarm"]


def test_a_reviewed_reply_that_no_longer_holds_is_refused_without_asking_a_model(
    make_gateway: MakeGateway, upstream: Upstream, evidence: Registry
) -> None:
    key = str(uuid.uuid4())
    with make_gateway(registry=evidence.root) as url, httpx.Client(base_url=url, timeout=20) as client:
        first = told(client, key)
        said = client.post(f"/vqa/{first['reply']['id']}/feedback", json={"who": "x", "right": True})
        assert said.status_code == 201
        assert told(client, key)["replayed"] is True
        evidence.activate_calibrator("other", who="x")
        asked = len(upstream.asked)
        now = told(client, key)
    assert (now["status"], len(upstream.asked)) == (409, asked)
    assert "reply" not in now


@pytest.mark.parametrize("spoil", [lambda kept: kept["reply"].pop("decision"), lambda kept: kept.pop("reply")])
def test_a_kept_reply_of_another_form_is_answered_anew(
    make_gateway: MakeGateway,
    upstream: Upstream,
    evidence: Registry,
    place: Place,
    spoil: Callable[[dict[str, Any]], object],
) -> None:
    key, settings = str(uuid.uuid4()), {"registry": evidence.root, "records_url": place.url}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        first = told(client, key)
        ((text,),) = place.query("SELECT reply FROM answers")
        kept = json.loads(text)
        spoil(kept)
        place.query(f"UPDATE answers SET reply = '{json.dumps(kept).replace(chr(39), chr(39) * 2)}'")  # noqa: S608
        now = told(client, key)
        assert (now["status"], now["replayed"]) == (200, False)
        assert now["reply"]["id"] == first["reply"]["id"]
        assert told(client, key)["replayed"] is True


def of_before(now: dict[str, Any], *, with_statement: bool, texts: bool) -> dict[str, Any]:
    """A deferral as versions before kept it: the guess as the answer, and a set of one option that is the guess, too.

    Args:
        now: The reply of this version, whole.
        with_statement: Whether the version had statements; the one before it had the text as it came as explanation.
        texts: Whether texts were kept.
    """
    said = now["guess_model_text"] if texts else ""
    guess = now["guess"] if texts else {**now["guess"], "text": ""}
    coverage = {"coverage": 0.9, "guarantee": True, "groups": {}, "n": 900, "reason": "x"}
    reply = {**now, "answer": guess, "option_set": {"letters": ["B"], **coverage}, "option_set_reason": None}
    del reply["guess"], reply["guess_model_text"]
    if with_statement:
        shown = now["guess_explanation"] if texts else None
        return reply | {"model_text": said, "guess_explanation": shown, "explanation": None, "statement": ""}
    for name in ("model_text", "guess_explanation", "statement"):
        del reply[name]
    return reply | {"explanation": said}


@pytest.mark.parametrize("texts", [True, False], ids=["texts", "no texts"])
@pytest.mark.parametrize("with_statement", [True, False], ids=["before guesses", "before statements"])
def test_a_deferral_that_a_version_before_kept_is_told_as_this_one_does(
    make_gateway: MakeGateway, upstream: Upstream, place: Place, with_statement: bool, texts: bool
) -> None:
    key = str(uuid.uuid4())
    upstream.text = "I am certain: the answer is B with confidence 95."
    with (
        make_gateway(records_url=place.url, max_risk=0.0001, record_texts=texts) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        first = told(client, key)["reply"]
        assert first["decision"] == "defer"
        assert first["guess"]["letter"] == "B"
        assert told(client, key)["replayed"] is True
        [(stored,)] = place.query("SELECT reply FROM answers")
        old = json.dumps({**json.loads(stored), "reply": of_before(first, with_statement=with_statement, texts=texts)})
        quoted = old.replace("'", "''")
        place.query(f"UPDATE answers SET reply = '{quoted}'")  # noqa: S608 - made above
        # Told again, whatever people have said of it: a version before may have shown it.
        client.post(f"/vqa/{first['id']}/feedback", json={"who": "x", "right": False}).raise_for_status()
        asked = len(upstream.asked)
        again = told(client, key)
    assert (again["replayed"], len(upstream.asked)) == (True, asked)
    lost = {} if texts else {"guess_explanation": None, "guess_model_text": None}
    would_tell = {"option_set": None, "option_set_reason": WOULD_TELL}
    assert again["reply"] == first | lost | would_tell
