"""Rules are checked when they are read, and meet what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

from services.listener.rules import InstanceRule, RulesError, read_rules

GOOD = """
rules:
  - name: ct-chest-effusion
    modality: [CT]
    body_part: [CHEST, THORAX]
    question: Is there a pleural effusion?
    options: ["Yes", "No"]
    groups: {modality: CT}
  - name: mr-plane
    modality: [MR]
    question: Which plane is shown?
"""


def instance(**attributes: str) -> Dataset:
    made = Dataset()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def test_rules_are_read(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD)
    rules = read_rules(file)
    assert [rule.name for rule in rules.rules] == ["ct-chest-effusion", "mr-plane"]
    assert rules.modalities == ["CT", "MR"]
    first, second = rules.rules
    assert first.fields() == {
        "question": "Is there a pleural effusion?",
        "options": '["Yes", "No"]',
        "groups": '{"modality": "CT"}',
    }
    # A rule without options is an open question, whatever its lines look like.
    assert second.fields() == {"question": "Which plane is shown?", "options": "[]"}


@pytest.mark.parametrize(
    ("attributes", "meets"),
    [
        ({"Modality": "CT", "BodyPartExamined": "CHEST"}, True),
        ({"Modality": "CT", "BodyPartExamined": "THORAX"}, True),
        ({"Modality": "CT", "BodyPartExamined": "HEAD"}, False),
        ({"Modality": "CT"}, False),
        ({"Modality": "MR", "BodyPartExamined": "CHEST"}, False),
        ({}, False),
    ],
)
def test_a_rule_meets_what_it_says(attributes: dict[str, str], meets: bool) -> None:
    rule = InstanceRule(name="a", modality=("CT",), body_part=("CHEST", "THORAX"), question="q?")
    assert rule.meets(instance(**attributes)) is meets
    assert InstanceRule(name="a", modality=("CT",), question="q?").meets(instance(Modality="CT"))


def test_a_question_that_changes_is_another() -> None:
    rule = InstanceRule(name="a", modality=("CT",), question="q?", options=("Yes", "No"))
    assert rule.digest == rule.model_copy(update={"name": "b", "modality": ("MR",)}).digest
    assert rule.digest != rule.model_copy(update={"options": ("No", "Yes")}).digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "valid dictionary"),
        ("rules: []", "at least 1 item"),
        (GOOD.replace("modality: [CT]", "modality: []"), "at least 1 item"),
        (GOOD.replace("modality: [CT]", "modality: [SR]"), "has no pictures"),
        (GOOD.replace('["Yes", "No"]', '["Yes"]'), "two or more"),
        (GOOD.replace("name: mr-plane", "name: ct-chest-effusion"), "one name"),
        (GOOD.replace("name: mr-plane", "name: MR plane"), "match pattern"),
        (GOOD.replace("question: Which", "queston: Which"), "queston"),
        (GOOD.replace("[CT]", "[CT"), "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(RulesError, match=said):
        read_rules(file)
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(tmp_path / "absent.yaml")
