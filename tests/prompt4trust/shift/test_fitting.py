"""References: valid on what they were drawn like, sharp on what they were not, the same from a file."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binom

from prompt4trust.picture_files import PREPARATION
from prompt4trust.pictures import ReducedPicture
from prompt4trust.shift import PictureAndWords, ReferenceArtifact, fit, fit_reference
from tests.prompt4trust.shift.questions import described, picture

HASH = "sha256:" + "0" * 64
NEW = described(300, seed=1)


@pytest.fixture(scope="module")
def artifact() -> ReferenceArtifact:
    return fit_reference(
        described(900),
        PictureAndWords(),
        name="discs",
        dataset="discs",
        questions=HASH,
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        answers=["sha256:" + "1" * 64],
        seed=3,
        rows=True,
    )


def test_questions_drawn_alike_are_seldom_beyond_a_limit(artifact: ReferenceArtifact) -> None:
    judged, parts = artifact.reference().judge_all(NEW)
    for scores in (judged, *parts.values()):
        for limit in (0.9, 0.95, 0.99):
            assert (scores >= limit).sum() <= binom.ppf(0.999, len(NEW), 1 - limit) + 3  # 3: the reference's own chance
    # Pictures have no twins here, so that their p-values are uniform but for chance, and not merely large.
    assert np.quantile(parts["picture"], (0.25, 0.5, 0.75)) == pytest.approx([0.25, 0.5, 0.75], abs=0.12)


def test_what_is_drawn_otherwise_is_beyond_it_and_the_trait_is_named(artifact: ReferenceArtifact) -> None:
    reference = artifact.reference()
    stripes = reference.judge_all(described(40, seed=2, kind="stripes"))
    assert (stripes[0] >= 0.99).mean() > 0.95
    assert stripes[1]["words"].max() < 0.99
    disc = ReducedPicture.of(picture(np.random.default_rng(9)))
    for asked in (("Which drug comes first?", ("Aspirin", "Heparin")), ("¿Qué es esto?", ("Uno", "Dos"))):
        judged = reference.judge(PictureAndWords().describe(disc, asked[0], dict(zip("AB", asked[1], strict=True))))
        assert judged.beyond(0.99)
        assert judged.most == "words"
        assert judged.n == 600
        assert judged.atypicality == pytest.approx(reference.finest)
        assert not judged.beyond(1.0)


def test_another_wording_of_what_is_asked_is_no_stranger(artifact: ReferenceArtifact) -> None:
    disc = ReducedPicture.of(picture(np.random.default_rng(9)))
    options = {"A": "Left", "B": "Right", "C": "Midline"}
    for wording in ("Which side is it on?", "On what side does the lesion lie?", "Which side is affected?"):
        judged = artifact.reference().judge(PictureAndWords().describe(disc, wording, options))
        assert judged.parts["words"] < 0.95


def test_the_same_question_always_has_the_same_score(artifact: ReferenceArtifact, tmp_path: Path) -> None:
    artifact.save(tmp_path / "discs.json")
    loaded = ReferenceArtifact.load(tmp_path / "discs.json")
    assert loaded == artifact
    together, _ = artifact.reference().judge_all(NEW[:20])
    one_by_one = [loaded.reference().judge(each).atypicality for each in NEW[:20]]
    assert one_by_one == together.tolist()
    text = (tmp_path / "discs.json").read_text()
    assert len(text) < 400_000
    assert len(text.splitlines()) < 1_000  # lists lie on a line


def test_held_out_questions_are_never_those_that_distances_are_taken_to() -> None:
    rows = described(330)
    found = fit(rows, PictureAndWords(), seed=5, rows=True)
    known = {id(each) for each in found.near}
    assert known | {id(rows[place]) for place in found.aside} == {id(each) for each in rows}
    assert len(found.near) == 110
    judged = found.reference().judge_all([rows[place] for place in found.aside])[1]["picture"]
    # By their own scores: exactly a share of them lies beyond each level.
    assert sorted(judged) == pytest.approx([place / 221 for place in range(220)], abs=1e-9)


def test_a_picture_asked_about_several_times_does_not_make_others_strange() -> None:
    once = described(150)
    rows = [replace(each) for each in once for _ in range(4)]
    with pytest.raises(ValueError, match="different inputs held out for 'picture' and 2 parts"):
        fit(rows, PictureAndWords(), seed=5, rows=True)
    found = fit(rows, PictureAndWords(), seed=5, limit=0.95, rows=True)
    reference = found.reference()
    different = len({rows[place].twins["picture"] for place in found.aside})
    # Four questions about one picture are one draw of a picture.
    assert reference.counts == {"picture": different, "words": 400}
    assert reference.finest == pytest.approx(1 - 2 / (different + 1))
    assert reference.reaches(0.95)
    assert not reference.reaches(0.99)
    for name, part in reference.parts.items():
        # What a held-out question would score as a new one is never more: this is what keeps p-values valid.
        assert (found.parts[name].held >= part.measure([rows[place].traits[name] for place in found.aside])).all()
    _, parts = reference.judge_all(NEW)
    assert (parts["picture"] >= 0.99).mean() < 0.05
    assert parts["picture"].mean() < 0.65
    assert reference.judge_all(once)[1]["picture"].mean() < 0.5


def test_without_rows_no_picture_is_on_both_sides() -> None:
    rows = [replace(each) for each in described(150) for _ in range(4)]
    found = fit(rows, PictureAndWords(), seed=5, limit=0.9)
    near = {each.twins["picture"] for each in found.near}
    held = {rows[place].twins["picture"] for place in found.aside}
    assert len(near) == 50
    assert len(held) == 100
    assert not near & held
    assert found.reference().counts == {"picture": 100, "words": 400}


def test_a_file_without_rows_judges_as_what_was_fitted(tmp_path: Path) -> None:
    made = summed()
    made.save(tmp_path / "summed.json")
    loaded = ReferenceArtifact.load(tmp_path / "summed.json")
    assert loaded == made
    assert not loaded.keeps_rows
    assert len((tmp_path / "summed.json").read_text().splitlines()) < 200
    new, stripes = NEW[:100], described(40, seed=2, kind="stripes")
    judged = loaded.reference().judge_all([*new, *stripes])[0]
    assert judged.tolist() == made.reference().judge_all([*new, *stripes])[0].tolist()
    assert (judged[:100] >= 0.99).mean() < 0.05
    assert (judged[100:] >= 0.99).mean() > 0.95


SPOILT_SUMS = [
    ({"picture__covariance": "AAAA"}, "lower triangle of 155 x 155"),
    ({"picture__covariance": "no base64!"}, "not base64"),
    ({"picture__covariance": base64.b64encode(bytes(4 * 155 * 78)).decode()}, "not positive definite"),
    ({"picture__sizes": [100]}, "a size for each group"),
    ({"picture__sizes": [9, 91, 100]}, "greater than or equal to 10"),
    ({"picture__spread": [1.0]}, "same length"),
    ({"words__n": 1}, "more questions than there are"),
    ({"words__question": [[70_000, 5]]}, "less than 65536"),
    ({"words__question": [[7, 4]]}, "a word that fewer than 5 have"),
    ({"words__question": [[7, 4]], "words__least": 1}, "keeps no word of fewer than 5 wordings"),
]


@pytest.mark.parametrize(("changes", "fault"), SPOILT_SUMS)
def test_spoilt_sums_are_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        ReferenceArtifact.model_validate_json(spoil(summed(), **changes))


@cache
def summed() -> ReferenceArtifact:
    return fit_reference(
        described(450),
        PictureAndWords(),
        name="summed",
        dataset="discs",
        questions=HASH,
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    )


def test_questions_without_pictures_are_judged_by_their_words() -> None:
    reference = fit(described(300, pictures=False), PictureAndWords()).reference()
    assert list(reference.parts) == ["words"]
    assert reference.judge(NEW[0]).atypicality < 0.99
    with pytest.raises(ValueError, match="without 'picture'"):
        fit(described(300), PictureAndWords()).reference().judge(described(1, pictures=False)[0])


def test_one_wording_for_all_makes_any_other_one_strange() -> None:
    describer, rng = PictureAndWords(), np.random.default_rng(0)
    rows = [
        describer.describe(ReducedPicture.of(picture(rng)), "What is it?", {"A": "One", "B": "Two"}) for _ in range(450)
    ]
    made = fit_reference(
        rows,
        describer,
        name="one",
        dataset="one",
        questions=HASH,
        picture_preparation=PREPARATION,
        clock=lambda: datetime.now(UTC),
    )
    assert "only 1 wordings" in made.warnings[0]
    reference = made.reference()
    assert reference.judge(rows[0]).parts["words"] == 0
    assert reference.judge(
        describer.describe(ReducedPicture.of(picture(rng)), "Where?", {"A": "One", "B": "Two"})
    ).beyond(0.99)


def test_a_reference_that_can_never_tell_what_is_unlike_is_refused() -> None:
    rows = described(300)
    with pytest.raises(ValueError, match=r"beyond 0\.99: the limit 0\.995 takes 399 of each"):
        fit(rows, PictureAndWords(), limit=0.995)
    assert fit(rows, PictureAndWords(), limit=0.99).reference().reaches(0.99)
    with pytest.raises(ValueError, match="lies between 0 and 1, not 1"):
        fit(rows, PictureAndWords(), limit=1.0)
    with pytest.raises(ValueError, match=r"300 different inputs held out for 'picture' and 4 parts"):
        fit(rows, PictureAndWords(), near=described(300, seed=5), others=described(60, seed=6, kind="stripes"))


def test_what_cannot_be_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 300 questions, not 299"):
        fit(described(299, pictures=False), PictureAndWords())
    with pytest.raises(ValueError, match="some have none"):
        fit([*described(299), *described(1, pictures=False)], PictureAndWords())
    same = PictureAndWords().describe(ReducedPicture.of(Image.new("L", (20, 20))), "What?", {})
    with pytest.raises(ValueError, match="only 1 different values of 'picture'"):
        fit([same] * 300, PictureAndWords())


def spoil(artifact: ReferenceArtifact, **changes: Any) -> str:
    document = json.loads(artifact.model_dump_json())
    for name, value in changes.items():
        place, _, inner = name.partition("__")
        if inner:
            document["parts"][place][inner] = value
        else:
            document[name] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"format": 8}, "format 8 is not known"),
        ({"descriptor": "clip@1"}, "no descriptor 'clip@1'"),
        ({"questions": "md5:0"}, "questions"),
        ({"name": "../up"}, "name"),
        ({"n_held": 7}, "a score for each held-out question"),
        ({"format": 5}, "levels of scores come with format 6"),
        ({"picture__scores": [1.0]}, "either levels or scores"),
        ({"picture__levels": None}, "either levels or scores"),
        ({"picture__levels": {"n": 600, "edges": [1.0, 2.0], "reaching": [4, 1]}}, "the last one 0"),
        ({"picture__levels": {"n": 600, "edges": [1.0, 2.0], "reaching": [601, 0]}}, "descend from n"),
        ({"picture__levels": {"n": 600, "edges": [2.0, 1.0], "reaching": [4, 0]}}, "edges must ascend"),
        ({"n_held": 601}, "a score for each held-out question"),
        ({"format": 4, "picture__scores": [1.0, 2.0], "picture__levels": None}, "a score for each held-out question"),
        ({"parts": {}}, "parts"),
        ({"extra": 1}, "extra"),
        ({"picture__steps": "no base64!"}, "not base64"),
        ({"picture__steps": "AAAA"}, "not 3 bytes"),
        ({"picture__spread": [0.0] * 155}, "greater than 0"),
        ({"picture__centre": [0.0], "picture__spread": [1.0], "picture__rows": 3, "picture__steps": "AAAA"},
         "no trait of"),
        ({"words__rows": [[[70_000], []]]}, "less than 65536"),
        ({"words__kind": "pixels"}, "kind"),
        ({"picture__scores": [2.0, 1.0], "picture__levels": None}, "must ascend"),
        ({"picture__scores": [float("nan")]}, "scores"),
    ],
)  # fmt: skip
def test_files_of_another_make_are_refused(
    artifact: ReferenceArtifact, tmp_path: Path, changes: dict[str, Any], fault: str
) -> None:
    path = tmp_path / "spoilt.json"
    path.write_text(spoil(artifact, **changes))
    with pytest.raises(ValueError, match=fault):
        ReferenceArtifact.load(path)


def test_a_file_says_whose_inputs_it_holds(artifact: ReferenceArtifact) -> None:
    assert artifact.covers("discs", HASH) == 1
    assert artifact.covers("other", "sha256:" + "1" * 64) == 2
    assert artifact.covers("other", HASH) == 0
    assert artifact.covers("other", HASH, questions="0" * 64) == 2
    assert artifact.covers("discs", HASH, questions="f" * 64) == 0  # of that name, and yet other questions
