"""A policy's wording: read where it is whole, and otherwise said to be missing, broken or another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt4trust.prompts import load_template
from services.common.registry.errors import MissingTemplateError, PolicyTemplateError
from services.common.registry.policy_template import load_guide_template, read_policy_template

GUIDE, ANSWER = load_template("guide-compact@1"), load_template("answer-compact@1")


def test_a_version_s_own_wording_is_read(tmp_path: Path) -> None:
    (tmp_path / "prompt.json").write_text(GUIDE.model_dump_json())
    assert read_policy_template(tmp_path) == GUIDE


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (None, MissingTemplateError, "prompt.json is missing"),
        ("?", PolicyTemplateError, "does not hold a prompt template"),
        ("[]", PolicyTemplateError, "does not hold a prompt template"),
        (b"\xff\xfe", PolicyTemplateError, "does not hold a prompt template"),
        (ANSWER.model_dump_json(), PolicyTemplateError, "for the role 'answer', not 'guide'"),
    ],
)
def test_what_is_wrong_is_said_without_a_path(
    tmp_path: Path, content: str | bytes | None, error: type[Exception], says: str
) -> None:
    if content is not None:
        (tmp_path / "prompt.json").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(error, match=says) as raised:
        read_policy_template(tmp_path)
    assert type(raised.value) is error
    assert str(tmp_path) not in str(raised.value)


def test_a_file_in_the_place_of_a_directory_holds_no_wording(tmp_path: Path) -> None:
    (tmp_path / "policy").touch()
    with pytest.raises(MissingTemplateError):
        read_policy_template(tmp_path / "policy")


def test_a_person_names_a_shipped_wording_or_a_file(tmp_path: Path) -> None:
    assert load_guide_template("guide-compact@1") == GUIDE
    (tmp_path / "mine.json").write_text(GUIDE.model_dump_json())
    assert load_guide_template(str(tmp_path / "mine.json")) == GUIDE
    for source in ("answer-compact@1", "nothing@1", str(tmp_path / "absent.json")):
        with pytest.raises(PolicyTemplateError, match=source.rsplit("/", 1)[-1]):
            load_guide_template(source)
