"""Tables and bare pairs: read where they say one verdict, and left where they say several or somebody else's."""

from __future__ import annotations

import pytest

from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from prompt4trust.verdict.forms.tables import without_tables

RULE = "|---|:--:|\n"
READ = [
    f"| Answer | Confidence |\n{RULE}| C | 70 |",
    f"| Confidence (%) | Final answer |\n{RULE}| 70% | **C** |",
    "| Answer | Confidence | Key findings |\n|---|---|---|\n| C | 70% | No air, fluid at the base |",
    f"| Field | Value |\n{RULE}| Answer | C |\n| Confidence | 70 |\n| Reasoning | Fluid |",
    "Answer | Confidence\n--- | ---\nC | 70",
    f"Here is the table.\n\n| Respuesta | Confianza |\n{RULE}| C | 70 % |\n\nThat is all.",
    "<table><tr><th>Answer</th><th>Confidence</th></tr><tr><td>C</td><td>70</td></tr></table>",
    f"| Answer | Confidence (1-10) |\n{RULE}| C | 7 |",
]
LEFT = [
    f"| Answer | Confidence |\n{RULE}| B | 60 |\n| C | 40 |",
    "| Reader | Answer | Confidence |\n|---|---|---|\n| Resident | C | 70 |",
    "| Step | Answer | Confidence |\n|---|---|---|\n| Draft | C | 70 |",
    f"| Option | Probability |\n{RULE}| C | 70 |",
    f"| Finding | Confidence |\n{RULE}| C | 70 |",
    f"| Answer | Answer |\n{RULE}| C | 70 |",
    f"| Field | Value |\n{RULE}| Answer | C |\n| Answer | B |\n| Confidence | 70 |",
]


@pytest.mark.parametrize("reply", READ)
def test_a_table_of_one_verdict_is_read(reply: str) -> None:
    assert parse_verdict(reply, "ABCD") == Verdict("C", 0.7)


@pytest.mark.parametrize("reply", LEFT)
def test_another_table_is_not(reply: str) -> None:
    assert isinstance(parse_verdict(reply, "ABCD"), Invalid)
    assert without_tables(reply, dict.fromkeys("ABCD", "")) == reply


@pytest.mark.parametrize("reply", ["B\n88", "B, 88", "(B), 88", "B. | 88", "B; 88.", "B\n0.88", "B: .88", "b, 88"])
def test_a_letter_and_a_number_alone_are_a_verdict(reply: str) -> None:
    assert parse_verdict(reply, "ABCD") == Verdict("B", 0.88)


@pytest.mark.parametrize(
    "reply", ["B 8", "B\n8", "C7", "C 7", "T4, 12", "B-88", "B, 88 mm", "B, 88-90", "E, 88", "e, 88", "B, 880"]
)
def test_but_not_with_another_meaning_at_hand(reply: str) -> None:
    assert isinstance(parse_verdict(reply, "ABCD"), Invalid)


def test_a_number_that_may_be_an_option_is_none() -> None:
    assert isinstance(parse_verdict("B, 88", {"A": "87", "B": "88"}), Invalid)
