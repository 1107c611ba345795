"""`trustvqa calibrate --from-feedback`: what becomes of feedback, how it goes live and how it is taken back."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import Connection, insert

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact, get_family
from services.common.registry.directory import Registry
from services.gateway.app import create_gateway
from services.gateway.database_url import database_url
from services.gateway.records.connection.database import Database
from services.gateway.records.tables import answers, feedback
from services.gateway.settings import GatewaySettings
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.conftest import make_calibrator
from tests.services.gateway.records.conftest import record
from tests.support.calibration_keys import whole_key
from tests.support.keys import keys_at
from tests.support.servers import free_port, running
from tests.trustvqa.cli.runs.test_evaluate_command import Argument, trustvqa
from trustvqa.cli.models.reviews import Wanted, read_reviewed

DAY = datetime(2026, 3, 1, tzinfo=UTC)
CGP = whole_key(downstream="model-1", policy="policy-1", estimator="cgp", answer_template="answer-compact@1")
VERBALIZED = CGP.model_copy(update={"estimator": "verbalized", "policy": None})


@dataclass
class Stream:
    """Answers with what was said of them, as rows of the database."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        n: int,
        right: Callable[[float, int], bool],
        *,
        pair: CalibrationKey = CGP,
        reviewed: float = 1.0,
        who: Sequence[str] = ("dr. x",),
        **changes: Any,
    ) -> None:
        """Add answers stated at 55 to 99, a share of which was reviewed."""
        random = np.random.default_rng(len(self.answers))
        for index in range(n):
            stated = float(random.integers(55, 100)) / 100
            row = {
                **record(
                    id=str(uuid.UUID(int=len(self.answers))),
                    **pair.model_dump(),
                    stated=stated,
                    **{"image_sha256": f"{len(self.answers):064x}", **changes},
                ).row,
                "at": DAY + timedelta(hours=len(self.answers)),
            }
            self.answers.append(row)
            if index < reviewed * n:
                self.say(row["id"], right(stated, index), who[index % len(who)])

    def say(self, answer: str, right: bool, who: str) -> None:
        for each in self.said:
            if each["answer_id"] == answer:
                each["is_latest"] = False
        at = DAY + timedelta(days=60, minutes=len(self.said))
        first = all(each["answer_id"] != answer for each in self.said)
        self.said.append({"answer_id": answer, "at": at, "who": who, "correct": right, "is_first": first,
                          "is_latest": True})  # fmt: skip

    def store(self, file: Path) -> None:
        def rows(connection: Connection) -> None:
            connection.execute(insert(answers), self.answers)
            if self.said:
                connection.execute(insert(feedback), self.said)

        async def store() -> None:
            database = Database(database_url(f"sqlite:///{file}"), timeout_s=5.0)
            await database.migrate()
            await database.write(rows)
            await database.close()

        asyncio.run(store())


@contextmanager
def serving(folder: Path, stream: Stream, **settings: Any) -> Iterator[str]:
    """A gateway that has answered so, on the registry that the command publishes in."""
    stream.store(folder / "records.db")
    chosen = {
        "registry": folder / "reg",
        "shipped": folder / "nothing-shipped",
        "registry_check_s": 0.0,
        "records_url": f"sqlite:///{folder}/records.db",
        "record_days": 0,
        **settings,
    }
    with running(create_gateway(GatewaySettings(**chosen))) as url:
        yield url


def refit(
    folder: Path, url: str, *arguments: Argument, status: int = 0, flips: float = 0.0, **environment: str
) -> tuple[str, str]:
    command: list[Argument] = ["calibrate", "--from-feedback", "--registry", "reg", "--out", "evidence", *arguments]
    command += ["--flips", str(flips)]
    out, err = trustvqa(folder, *command, "--gateway", url, status=status, environment=environment)
    return " ".join(out.split()), " ".join(err.split())


def seldom(stated: float, index: int) -> bool:
    """Right in 40 % of the cases, whatever is stated."""
    return index * 7 % 10 < 4


def test_a_fit_sees_the_numbers_by_option_of_answers_given_and_deferred(tmp_path: Path) -> None:
    signals = {"agreement": 0.5, "option:A": 0.25, "option:B": 0.75}
    stream = Stream()
    for decision in ("answer", "defer"):
        stream.add(1, seldom, signals=signals, decision=decision)
    with serving(tmp_path, stream) as url, httpx.Client(base_url=url) as client:
        found = {each.decision: each for each in read_reviewed(client, Wanted())}
    assert found["defer"].signals == {"agreement": 0.5}
    assert {name: each.all_signals for name, each in found.items()} == {"answer": signals, "defer": signals}


def test_each_decoding_has_a_calibrator_of_its_own_and_answers_without_one_have_none(tmp_path: Path) -> None:
    assert CGP.decoding is not None
    warm = CGP.model_copy(update={"decoding": CGP.decoding.model_copy(update={"temperature": 1.5})})
    old = CGP.model_copy(update={"decoding": None, "picture_preparation": None})
    stream = Stream()
    for pair in (CGP, warm, old):
        stream.add(60, seldom, pair=pair)
    with serving(tmp_path, stream) as url:
        out, _ = refit(tmp_path, url, "--family", "platt", "--no-activate")
    fitted = Registry(tmp_path / "reg").calibrators.load_all()
    assert {each.key for each in fitted} == {CGP, warm}
    assert len({each.name for each in fitted}) == 2
    assert f"{old.line}: these answers are of an older version" in out


def test_a_calibrator_of_a_new_name_goes_live_beside_the_one_before_and_can_be_taken_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "reg")
    shipped = make_calibrator("cgp", "policy-1", name="shipped", right=0.95)
    registry.calibrators.publish(shipped)
    registry.guards.publish(make_guard(calibrator=shipped))
    stream = Stream()
    stream.add(200, seldom, who=("dr. x", "dr. x", "dr. y"))
    # Second thoughts: the latest word counts.
    for row in stream.answers[:20]:
        stream.say(row["id"], False, "tumour board")
    stream.add(30, seldom, letters="", letter=None)  # open questions are not calibrated
    with serving(tmp_path, stream) as url:
        out, _ = refit(tmp_path, url, "--family", "platt")
        fitted = next(each for each in registry.calibrators.load_all() if each.name != "shipped")
        assert re.fullmatch(
            r"platt-cgp-model-1-policy-1-answer-compact-1-[0-9a-f]{8}-feedback-20\d{6}-\d{6}", fitted.name
        ), fitted.name
        assert f"live: {fitted.name}, in place of shipped" in out
        assert f"{url} applies what is live" in out
        assert "guard-cgp holds for the calibrator before" in out
        assert httpx.get(f"{url}/version").json()["live_calibrators"] == {CGP.line: fitted.name}

        back = httpx.post(f"{url}/v1/calibrators/{fitted.name}/retire", json={"who": "dr. x"})
        assert back.json() == {"live": "shipped", "previous": fitted.name}
        assert httpx.get(f"{url}/version").json()["live_calibrators"] == {CGP.line: "shipped"}
    verdicts = [seldom(0, index) and index >= 20 for index in range(200)]
    stated = [row["stated"] for row in stream.answers[:200]]
    # In another order of the rows, so to the last digit but one.
    assert fitted.parameters == pytest.approx(get_family("platt").fit(stated, verdicts).parameters(), rel=1e-9)
    assert (fitted.key, fitted.n, fitted.folds, fitted.choice) == (CGP, 200, 5, None)
    assert fitted.dataset == "feedback of 3 reviewers on answers of 2026-03-01 to 2026-03-09"
    assert not [each for each in fitted.warnings if "people spoke" in each or "picture" in each or "review" in each]

    evidence = json.loads((tmp_path / "evidence" / "calibration.json").read_text())
    assert evidence["feedback"]["n"] == 200
    assert evidence["feedback"]["who"] == {"dr. x": 120, "dr. y": 60, "tumour board": 20}
    assert evidence["feedback"]["ids"] == sorted(row["id"] for row in stream.answers[:200])
    assert [CalibratorArtifact.model_validate(each) for each in evidence["calibrators"]] == [fitted]
    assert (tmp_path / "evidence" / "calibration.html").is_file()
    changes = [(each.previous, each.name, each.kind) for each in registry.activations()]
    assert changes == [("shipped", fitted.name, "activated"), (fitted.name, "shipped", "rolled-back")]
    assert registry.activations()[0].who.endswith(", trustvqa calibrate --from-feedback")


def test_families_are_chosen_for_each_pair_and_a_pair_that_has_too_little_is_left_out(tmp_path: Path) -> None:
    stream = Stream()
    stream.add(150, lambda stated, index: index * 7 % 20 < (3 if stated < 0.8 else 17))
    stream.add(10, seldom, pair=VERBALIZED)
    with serving(tmp_path, stream) as url:
        out, _ = refit(tmp_path, url)
        assert httpx.get(f"{url}/version").json()["live_calibrators"].keys() == {CGP.line}
    (fitted,) = Registry(tmp_path / "reg").calibrators.load_all()
    assert fitted.choice is not None
    assert fitted.family == fitted.choice.chosen
    assert fitted.family in ("histogram", "isotonic", "venn-abers")
    assert (fitted.choice.judged_on, fitted.choice.n) == ("folds", 150)
    assert f"{VERBALIZED.line}: 10 calibration answers" in out
    assert "too few to choose a calibrator by" in out


def test_what_is_not_to_be_live_leaves_what_is(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "reg")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", name="shipped", right=0.95))
    stream = Stream()
    stream.add(100, seldom)
    with serving(tmp_path, stream) as url:
        out, _ = refit(tmp_path, url, "--no-activate", "--family", "platt", flips=0.05)
        # It is the newest, and nothing had been named.
        assert httpx.get(f"{url}/version").json()["live_calibrators"] == {CGP.line: "shipped"}
    assert len(registry.calibrators.load_all()) == 2
    assert "not live: platt-cgp-model-1-policy-1-answer-compact-1-" in out
    assert "; shipped is" in out
    fitted = next(each for each in registry.calibrators.load_all() if each.name != "shipped")
    assert [each for each in fitted.warnings if "review" in each] == [
        "its outcomes are what reviewers said last, taken as it is, as are its figures: fewer than 30 answers have "
        "looks of two people (or of one, a day apart), so that nothing tells how often reviewers are wrong; a "
        "calibrator has to stand 5 % either way"
    ]


def test_answers_are_chosen_by_time_method_and_models(tmp_path: Path) -> None:
    stream = Stream()
    stream.add(100, seldom)  # from 1 March, one an hour
    stream.add(100, seldom, pair=VERBALIZED)
    with serving(tmp_path, stream) as url:
        refit(tmp_path, url, "--family", "platt", "--since", "2026-03-02", "--until", "2026-03-04", "--methods", "cgp")
        refused = refit(tmp_path, url, "--model", "another", status=1)
    (fitted,) = Registry(tmp_path / "reg").calibrators.load_all()
    assert (fitted.key, fitted.n) == (CGP, 48)
    assert "nobody has said anything of such answers yet" in refused[1]


def test_unbalanced_feedback_is_published_with_a_warning(tmp_path: Path) -> None:
    stream = Stream()
    stream.add(300, seldom, reviewed=0.02)
    stream.add(100, seldom, reviewed=0.6, decision="defer")
    with serving(tmp_path, stream) as url:
        out, _ = refit(tmp_path, url, "--family", "platt")
    (fitted,) = Registry(tmp_path / "reg").calibrators.load_all()
    assert [each for each in fitted.warnings if "people spoke" in each] == [
        "people spoke of 16 % of 400 answers: if they chose which, for instance the doubtful ones, the others are "
        "corrected wrongly",
        "people spoke of 2 % of the answers given and of 60 % of those deferred: the calibrator suits those that they "
        "spoke of more often",
    ]
    assert "warning people spoke of 16 % of 400 answers" in out


@pytest.mark.parametrize(
    ("n", "right", "reason"),
    [
        (30, seldom, "30 calibration answers with a verdict and a known truth are too few"),
        (80, lambda stated, index: True, "of 80 calibration answers none are wrong"),
    ],
    ids=["too few", "one class"],
)
def test_feedback_that_does_not_suffice_changes_nothing(
    tmp_path: Path, n: int, right: Callable[[float, int], bool], reason: str
) -> None:
    stream = Stream()
    stream.add(n, right)
    with serving(tmp_path, stream) as url:
        _, err = refit(tmp_path, url, status=1)
    assert "no calibrator can be fitted" in err
    assert reason in err
    assert not (tmp_path / "reg" / "active.json").exists()
    assert Registry(tmp_path / "reg").calibrators.load_all() == []


def test_what_single_reviews_cannot_show_is_shown_by_second_ones(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "reg")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", name="shipped", right=0.6))
    stream = Stream()
    stream.add(300, seldom)
    with serving(tmp_path, stream) as url:
        _, err = refit(tmp_path, url, "--family", "platt", flips=0.2, status=1)
        assert [each.name for each in registry.calibrators.load_all()] == ["shipped"]
        assert "not shown to be no worse than shipped: on 300 reviewed answers" in err
        assert "have a second person look at 30 of them or more" in err
        with httpx.Client(base_url=url) as client:
            for place, row in enumerate(stream.answers[:120]):
                said = {"who": "dr. y", "right": seldom(0.0, place) != (place == 0)}
                assert client.post(f"/vqa/{row['id']}/feedback", json=said).is_success
        out, _ = refit(tmp_path, url, "--family", "platt", flips=0.2)
    assert "reviewers: of 120 answers with several looks 1 was contradicted; reviewers call" in out
    assert "no worse than what was live: on 300 reviewed answers" in out
    fitted = next(each for each in registry.calibrators.load_all() if each.name != "shipped")
    assert [each for each in fitted.warnings if "corrected for reviewers who err" in each]
    evidence = json.loads((tmp_path / "evidence" / "calibration.json").read_text())
    assert evidence["reviewers"]["estimate"]["contradicted"] == 1
    assert evidence["accepted"][fitted.name]["bound"] <= 0


def test_answers_about_the_same_pictures_tell_less(tmp_path: Path) -> None:
    stream = Stream()
    for picture in range(6):
        stream.add(20, seldom, image_sha256=f"{picture:064x}")
    with serving(tmp_path, stream) as url:
        with httpx.Client(base_url=url) as client:
            found = read_reviewed(client, Wanted())
        marks = {each.id: each.picture for each in found}
        assert len(set(marks.values())) == 6
        assert len({marks[row["id"]] for row in stream.answers[:20]}) == 1
        out, _ = refit(tmp_path, url, "--family", "platt")
    assert "on 120 reviewed answers about 6 pictures its log loss is" in out


def test_struck_reviews_of_other_days_leave_a_refit_alone(tmp_path: Path) -> None:
    stream = Stream()
    stream.add(200, seldom)  # from 1 March, one an hour
    with serving(tmp_path, stream) as url:
        numbers = [place + 1 for place in range(30) if not seldom(0.0, place)]
        struck = {"who": "dr. x", "reviews": numbers}
        assert httpx.post(f"{url}/v1/reviews/strike", json=struck).status_code == 204
        ours, _ = refit(tmp_path, url, "--family", "platt", "--since", "2026-03-04", "--no-activate")
        all_days, _ = refit(tmp_path, url, "--family", "platt", "--no-activate", "--registry", "other")
    assert "were struck" not in ours
    assert "of the words that should have been right were struck" in all_days


def test_reviewers_who_say_anything_are_refused_and_struck_ones_only_doubted(tmp_path: Path) -> None:
    stream = Stream()
    stream.add(100, lambda stated, index: index % 2 == 0)
    for place, row in enumerate(stream.answers):
        stream.say(row["id"], place % 4 < 2, "dr. y")
    with serving(tmp_path, stream) as url:
        _, err = refit(tmp_path, url, "--family", "platt", status=1)
        assert "reviewers are wrong too often to fit on what they say: of 100 answers with several looks 50 were" in err
        struck = {"who": "dr. x", "reviews": list(range(101, 191))}
        assert httpx.post(f"{url}/v1/reviews/strike", json=struck).status_code == 204
        _, err = refit(tmp_path, url, "--family", "platt", status=1)
    assert "reviewers are wrong too often" not in err
    assert "not shown to be no worse than the confidence as stated" in err
    assert Registry(tmp_path / "reg").calibrators.load_all() == []


def test_answers_without_a_verdict_are_left_out(tmp_path: Path) -> None:
    stream = Stream()
    stream.add(60, seldom)
    stream.add(20, lambda stated, index: False, has_verdict=False, letter=None, confidence=None)
    for row in stream.answers[60:]:
        row["stated"] = None
    with serving(tmp_path, stream) as url:
        refit(tmp_path, url, "--family", "platt")
    assert [each.n for each in Registry(tmp_path / "reg").calibrators.load_all()] == [60]


def test_it_needs_an_administrator(tmp_path: Path) -> None:
    stream = Stream()
    stream.add(60, seldom)
    keys = keys_at(tmp_path / "keys.json", user=["ask", "feedback"], admin="admin")
    with serving(tmp_path, stream, api_keys=tmp_path / "keys.json") as url:
        for given, says in (("", "takes an API key"), ("x", "is no key"), (keys["user"], "a key with the scope admin")):
            _, err = refit(tmp_path, url, status=1, TRUSTVQA_API_KEY=given)
            assert says in err
        (tmp_path / "key").write_text(keys["admin"])
        refit(tmp_path, url, "--family", "platt", TRUSTVQA_API_KEY_FILE=str(tmp_path / "key"))
    assert len(Registry(tmp_path / "reg").calibrators.load_all()) == 1


def test_a_gateway_on_another_registry_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trustvqa.cli.models.refit._SEEN_LIVE_S", 0.0)
    stream = Stream()
    stream.add(60, seldom)
    with serving(tmp_path, stream, registry=tmp_path / "elsewhere") as url:
        out, _ = refit(tmp_path, url, "--family", "platt")
    assert "does it read this registry?" in out


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    _, err = refit(tmp_path, nowhere, "--data", "x.csv", status=1)
    assert "--from-feedback takes no questions" in err
    _, err = refit(tmp_path, nowhere, status=1)
    assert "cannot be reached" in err
    _, err = trustvqa(tmp_path, "calibrate", status=1)
    assert "--data is missing" in err
    with serving(tmp_path, Stream(answers=[dict(record().row)], said=[]), records_url="") as url:
        _, err = refit(tmp_path, url, status=1)
    assert "keeps no records" in err
