"""Directions: known pictures of another kind lie far along them, ordinary ones do not, and files keep them whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from prompt4trust.picture_files import PREPARATION
from prompt4trust.pictures import ReducedPicture
from prompt4trust.shift import PictureAndWords, Reference, ReferenceArtifact, fit, fit_reference
from prompt4trust.shift.measures.directions import Direction
from prompt4trust.shift.stored.parts import DirectionPart
from tests.prompt4trust.shift.questions import described, picture

KNOWN, STRIPES = described(300, seed=5), described(60, seed=6, kind="stripes")
NAMES = ["picture", "words", "picture-kind", "colour"]


@pytest.fixture(scope="module")
def artifact() -> ReferenceArtifact:
    return fit_reference(
        described(450),
        PictureAndWords(),
        name="discs",
        dataset="discs",
        questions="sha256:" + "0" * 64,
        picture_preparation=PREPARATION,
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        near=KNOWN,
        others=STRIPES,
    )


def test_it_is_the_logistic_regression_of_the_library() -> None:
    rng = np.random.default_rng(0)
    rows, others = rng.normal(0, 1, (80, 4)), rng.normal((1.0, 0, 0, -0.5), 1, (40, 4))
    found = Direction.fit(rows, others, np.full(4, 0.01))
    points = np.clip((np.concatenate([rows, others]) - rows.mean(0)) / rows.std(0), -8, 8)
    sides, share = np.repeat([0, 1], [80, 40]), np.repeat([0.5 / 80, 0.5 / 40], [80, 40])
    exact = LogisticRegression(C=1000.0, tol=1e-10, max_iter=10_000).fit(points, sides, share)
    assert found.weights == pytest.approx(exact.coef_[0], abs=2e-3)
    assert found.bias == pytest.approx(exact.intercept_[0], abs=2e-3)
    sums = points @ exact.coef_[0] + exact.intercept_[0]
    assert found.scores(np.concatenate([rows, others])) == pytest.approx(np.logaddexp(0, sums), abs=0.02)


def test_all_questions_are_held_out_where_distances_are_taken_to_others(artifact: ReferenceArtifact) -> None:
    assert (artifact.n, artifact.n_near, artifact.n_held) == (450, 300, 450)
    assert list(artifact.parts) == NAMES
    new, parts = artifact.reference().judge_all(described(300, seed=9))
    assert (new >= 0.95).mean() < 0.12
    assert (parts["picture"] >= 0.9).mean() == pytest.approx(0.1, abs=0.07)


def test_a_kind_that_was_shown_is_told_and_colour_by_itself(artifact: ReferenceArtifact) -> None:
    reference, describer = artifact.reference(), PictureAndWords()
    judged, parts = reference.judge_all(described(40, seed=2, kind="stripes"))
    assert min(parts["picture-kind"].min(), judged.min()) >= 0.98
    disc = np.asarray(picture(np.random.default_rng(9)))
    tinted = np.stack([disc, disc, np.clip(disc * 0.8, 0, 255).astype(np.uint8)], axis=-1)
    for pixels, is_beyond in ((disc, False), (np.stack([disc] * 3, axis=-1), False), (tinted, True)):
        shown = ReducedPicture.of(Image.fromarray(pixels))
        found = reference.judge(
            describer.describe(shown, "Which side is affected?", dict(zip("ABC", "LRM", strict=True)))
        )
        assert (found.parts["colour"] > 0.99) is is_beyond


def test_without_other_kinds_nothing_is_added() -> None:
    assert list(fit(described(300), PictureAndWords(), near=KNOWN).reference().parts) == ["picture", "words"]
    with pytest.raises(ValueError, match="a reference of each kind"):
        fit(described(300), PictureAndWords(), others=described(60, seed=6, pictures=False))


def test_a_direction_counts_no_picture_that_it_was_learned_from() -> None:
    rows = described(450)
    asked_twice = [*rows, *rows[:90]]
    found = fit(asked_twice, PictureAndWords(), others=STRIPES, limit=0.9, rows=True)
    learned = {each.twins["picture"] for each in found.near}
    held = {asked_twice[place].twins["picture"] for place in found.aside}
    counts = found.reference().counts
    assert counts["picture"] == len(held)
    assert counts["picture-kind"] == counts["colour"] == len(held - learned) < len(held)


def test_a_file_keeps_it(artifact: ReferenceArtifact, tmp_path: Path) -> None:
    artifact.save(tmp_path / "discs.json")
    loaded = ReferenceArtifact.load(tmp_path / "discs.json")
    assert loaded == artifact
    judged: list[np.ndarray] = [each.reference().judge_all(STRIPES[:20])[0] for each in (artifact, loaded)]
    assert judged[0].tolist() == judged[1].tolist()
    assert isinstance(loaded.reference(), Reference)


def test_a_direction_that_does_not_fit_is_refused(artifact: ReferenceArtifact) -> None:
    part = artifact.parts["picture-kind"]
    assert isinstance(part, DirectionPart)
    with pytest.raises(ValidationError, match="weights are all 0"):
        DirectionPart.model_validate({**part.model_dump(), "weights": [0.0] * len(part.weights)})
    with pytest.raises(ValidationError, match="format 3 has no directions"):
        ReferenceArtifact.model_validate({**artifact.model_dump(), "format": 3})
    with pytest.raises(ValidationError, match="same length"):
        DirectionPart.model_validate({**part.model_dump(), "weights": part.weights[1:]})
    for changed in ({"trait": "sound"}, {"centre": [0.0], "spread": [1.0], "weights": [1.0]}):
        parts = {**artifact.model_dump()["parts"], "picture-kind": {**part.model_dump(), **changed}}
        with pytest.raises(ValidationError, match="is no trait of"):
            ReferenceArtifact.model_validate({**artifact.model_dump(), "parts": parts})
