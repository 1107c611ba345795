"""Words of doubt in other languages: they leave a verdict open where they would change it, and only there."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from prompt4trust.verdict.doubts.foreign import is_left_open

SPANISH = "Respuesta: B\nConfianza: 80"


@pytest.mark.parametrize(
    "behind", ["Corrección: C", "No, C.", "Es falso.", "C también es posible.", "Respuesta: ninguna"]
)
def test_what_takes_a_verdict_back_leaves_it_open(behind: str) -> None:
    assert parse_verdict(f"{SPANISH}\n{behind}", "ABCD") == Invalid("ambiguous")


@pytest.mark.parametrize("ahead", ["Ejemplo:", "Según el informe:", "Otros lectores:", "Formato:"])
def test_an_example_and_others_answers_are_left_open(ahead: str) -> None:
    assert parse_verdict(f"{ahead}\n{SPANISH}", "ABCD") == Invalid("ambiguous")


@pytest.mark.parametrize(
    "said", ["Se observa un menisco.", "A opacidade é basal.", "No hay gas libre.", "La vitamina D2"]
)
def test_an_explanation_changes_nothing(said: str) -> None:
    assert parse_verdict(f"{SPANISH}\n{said}", "ABCD") == Verdict("B", 0.8)
    assert parse_verdict(f"{said}\n{SPANISH}", "ABCD") == Verdict("B", 0.8)


def test_english_is_not_looked_through() -> None:
    assert not is_left_open("Answer: B\nConfidence: 80\nC is less likely.", dict.fromkeys("ABC", ""), translated=False)
    assert is_left_open("Answer: B\nConfidence: 80\nC?", dict.fromkeys("ABC", ""), translated=True)
