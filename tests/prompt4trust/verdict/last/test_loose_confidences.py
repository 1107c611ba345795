"""Numbers beside a word of confidence, whatever links them: only with a unit, and where they end their sentence."""

from __future__ import annotations

import pytest

from prompt4trust.verdict.last.loose_confidences import loose_confidences


def values(text: str) -> list[float | None]:
    return [each.value for each in loose_confidences(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Moja pewność wynosi 90%.", 0.9),
        ("Η βεβαιότητά μου είναι 72%.", 0.72),
        ("Mijn zekerheid bedraagt 8/10", 0.8),
        ("confidence_percent: 97", 0.97),
        ("My confidence here is 80%.", 0.8),
    ],
)
def test_one_number_with_its_unit_is_read(text: str, value: float) -> None:
    assert values(text) == [pytest.approx(value)]


@pytest.mark.parametrize(
    "text", ["Pewnością 3.", "Confianza: 80% o menos", "Zekerheid: 80%, dan 60%", "Jistota: 180 %"]
)
def test_a_number_without_a_unit_a_bound_and_one_that_goes_on_are_none(text: str) -> None:
    assert set(values(text)) <= {None}


@pytest.mark.parametrize("text", ["Niepewność: 10%", "Lack of confidence: 80%", "Intervalo de confianza: 95%"])
def test_other_words_are_not_looked_at(text: str) -> None:
    assert values(text) == []
