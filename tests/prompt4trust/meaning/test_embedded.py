"""Agreement by a sentence encoder: what is joined, what never is, and measures against a hand calculation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.meaning.bert import Floats
from prompt4trust.meaning.embedded import embedded_agreement
from prompt4trust.meaning.marks import marks_of
from prompt4trust.meaning.normalised import normalised

DIFFERENT = Path(__file__).parents[3] / "benchmarks" / "meaning" / "different.txt"


class Directions:
    """An encoder in a plane: each text lies at an angle of its own, in degrees."""

    def __init__(self, angles: Mapping[str, float]) -> None:
        self.angles = angles

    def encode(self, texts: Sequence[str]) -> Floats:
        at = np.radians([self.angles[text] for text in texts])
        return np.stack([np.cos(at), np.sin(at)], axis=1).astype(np.float32)


SIXTY = Directions({"lung mass": 0, "pulmonary mass": 60})


class OneDirection:
    """An encoder that takes everything for the same."""

    def encode(self, texts: Sequence[str]) -> Floats:
        return np.ones((len(texts), 1), dtype=np.float32)


def test_near_answers_are_one_group_and_a_chain_does_not_join_its_ends() -> None:
    angles = Directions({"lung mass": 0, "pulmonary mass": 20, "mass of lung": 44, "fracture": 0})
    answers = ["pulmonary mass", "a lung mass", "Lung mass.", "mass of the lung", "fracture", None]
    found = embedded_agreement(
        answers, angles, threshold=0.9
    )  # of up to 25 degrees, which is the mass of the lung from the second
    assert found is not None
    assert found.groups == ("pulmonary mass",) * 3 + ("mass of lung", "fracture", None)
    assert (found.agreement.place, found.agreement.degree) == (0, 0.5)
    cosines = [1.0, *[np.cos(np.radians(20))] * 2, np.cos(np.radians(24)), 0.0, 0.0]
    assert found.degree == pytest.approx(np.mean(cosines), abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("left effusion", "right effusion"),
        ("fracture", "no fracture"),
        ("3 cm mass", "5 cm mass"),
        ("T1 weighted", "T2 weighted"),
        ("hypodense lesion", "hyperdense lesion"),
        ("hepatitis A", "hepatitis B"),
        ("diverticulitis", "diverticulosis"),
        ("displaced fracture", "nondisplaced fracture"),
        ("normal heart", "abnormal heart"),
        ("CRP > 5", "CRP < 5"),
        ("Grade II glioma", "Grade III glioma"),
        ("Salter-Harris II", "Salter-Harris III"),
        ("leftward shift", "rightward shift"),
        ("lt pleural effusion", "rt pleural effusion"),
        ("LLL consolidation", "RLL consolidation"),
        ("ascending aorta", "descending aorta"),
        ("peroneal nerve", "perineal nerve"),
        ("pneumothorax", "hemothorax"),
        ("aortic stenosis", "stenosis of the aorta"),
        ("free fluid", "free of fluid"),
        ("left kidney and right lung", "right kidney and left lung"),
        ("effusion without pneumonia", "pneumonia without effusion"),
        ("breast cancer in the lung", "lung cancer in the breast"),
        ("no mass on the left", "left no mass"),
        ("L5", "5 L"),
        ("collapsed lung", "atelectasis"),
    ],
)
def test_what_marks_tell_apart_no_encoder_joins(one: str, other: str) -> None:
    assert marks_of(one) != marks_of(other)
    found = embedded_agreement([one, other, other], OneDirection())
    assert found is not None
    assert found.agreement.place == 1
    assert found.agreement.degree == pytest.approx(2 / 3)
    assert len(set(found.groups)) == 2
    assert found.concentration < 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lung mass", "a pulmonary mass"),
        ("femoral fracture", "The femur is broken."),
        ("tumor of the liver", "hepatic neoplasm"),
        ("cardiomegaly", "The heart is enlarged"),
        ("air in the pleural space", "pneumothorax"),
        ("left kidney", "the kidney on the left side"),
        ("left upper lobe", "upper lobe of the left lung"),
    ],
)
def test_answers_that_differ_in_known_words_alone_are_joined_where_the_encoder_finds_them_near(
    one: str, other: str
) -> None:
    found = embedded_agreement([one, other], OneDirection())
    assert found is not None
    assert found.agreement.degree == 1
    far = embedded_agreement([one, other], Directions({normalised(one): 0, normalised(other): 60}))
    assert far is not None
    assert far.agreement.degree == 0.5


def test_no_pair_of_the_benchmark_that_says_different_things_can_be_joined() -> None:
    pairs = [line.split(" = ") for line in DIFFERENT.read_text(encoding="utf-8").splitlines()]
    assert len(pairs) > 200
    assert [pair for pair in pairs if marks_of(pair[0]) == marks_of(pair[1])] == []


_WORDS = "left right no of the lung pulmonary mass on side is ii 3 > free enlarged heart"


@given(
    st.lists(st.sampled_from(_WORDS.split(" ")), max_size=8),
    st.sampled_from(["II", "III", "leftward", "not", "-1", "descending", "hemothorax"]),
)
def test_a_word_that_is_not_listed_always_tells_apart(words: list[str], other: str) -> None:
    said = " ".join(words)
    assert marks_of(f"{said} {other}") != marks_of(said)


def test_concentration_is_one_for_one_direction_and_none_for_as_many_as_samples() -> None:
    same = embedded_agreement(["lung mass", "pulmonary mass", "mass of the lung"], OneDirection())
    silent = embedded_agreement(["mass", None, None], OneDirection())
    turned = embedded_agreement(["lung mass", "pulmonary mass"], SIXTY)
    assert same is not None and silent is not None and turned is not None  # noqa: PT018 - for the types
    assert (same.concentration, same.degree, same.agreement.certainty) == (1, 1, 1)
    assert silent.concentration == pytest.approx(0, abs=1e-12)
    # det(I + 10 G) of two at 60 degrees: 11 * 11 - 5 * 5 = 96; of one direction 21, of two 121.
    assert turned.concentration == pytest.approx(np.log(121 / 96) / np.log(121 / 21))
    assert embedded_agreement([None, None], OneDirection()) is None
    with pytest.raises(ValueError, match="two samples"):
        embedded_agreement(["mass"], OneDirection())


@given(
    st.lists(
        st.sampled_from(["pulmonary mass", "lung mass", "left mass", "no mass", "?", "fracture", None]), min_size=2
    )
)
def test_measures_are_shares_whatever_was_said(answers: list[str | None]) -> None:
    found = embedded_agreement(answers, OneDirection())
    if found is None:
        assert set(answers) == {None}
        return
    measures = (found.degree, found.centrality, found.concentration, found.agreement.degree, found.agreement.certainty)
    assert all(0 <= each <= 1 for each in measures)
    largest = max(found.groups.count(name) for name in set(found.groups) - {None})
    assert found.agreement.degree == pytest.approx(largest / len(answers))
