"""The rules of a listener: which instances are asked about, and what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_RULES: Final = 100
_MAX_FILE: Final = 1_000_000
_NO_PICTURES: Final = frozenset({"SR", "PR", "KO", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC", "REG", "AU", "ECG"})

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_ ]{1,16}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
Option = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class RulesError(Exception):
    """The rules cannot be read; the message says where."""


class InstanceRule(BaseModel):
    """A rule: a question that is asked about each instance that it meets.

    Attributes:
        name: Its name, for logs and metrics; unlike that of any other rule.
        modality: Modalities of which an instance has one.
        body_part: Body parts (Body Part Examined) of which it has one; empty for any.
        question: The question.
        options: The options, none for an open question.
        method: How the confidence is obtained; None for the gateway's default.
        max_risk: Largest accepted share of wrong answers; None for the gateway's own.
        groups: What the gateway is told of the question.
        frame: The frame of a multi-frame instance; None for the middle one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    modality: Annotated[tuple[Code, ...], Field(min_length=1, max_length=20)]
    body_part: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    question: Text
    options: Annotated[tuple[Option, ...], Field(max_length=26)] = ()
    method: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    max_risk: Annotated[float, Field(ge=0, le=1)] | None = None
    groups: Annotated[dict[str, str], Field(max_length=16)] = Field(default_factory=dict)
    frame: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _is_askable(self) -> InstanceRule:
        if len(self.options) == 1:
            raise ValueError("options are two or more, or none")
        if found := _NO_PICTURES & set(self.modality):
            raise ValueError(f"{', '.join(sorted(found))} has no pictures to ask about")
        return self

    def meets(self, instance: Dataset) -> bool:
        """Whether an instance is asked about."""
        if str(instance.get("Modality", "")) not in self.modality:
            return False
        return not self.body_part or str(instance.get("BodyPartExamined", "")).upper() in self.body_part

    @property
    def digest(self) -> str:
        """Hash of what is asked: a rule that asks otherwise asks anew."""
        asked = self.model_dump_json(exclude={"name", "modality", "body_part"})
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    def fields(self) -> Mapping[str, Any]:
        """Give the fields of the gateway's form, but for the picture."""
        given: dict[str, Any] = {
            "question": self.question,
            # Of an open question, too: without the field lines of its text might be taken for options.
            "options": json.dumps(list(self.options)),
            "method": self.method,
            "max_risk": None if self.max_risk is None else str(self.max_risk),
            "groups": json.dumps(self.groups) if self.groups else None,
            "frame": None if self.frame is None else str(self.frame),
        }
        return {name: value for name, value in given.items() if value is not None}


class Rules(BaseModel):
    """The rules of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[tuple[InstanceRule, ...], Field(min_length=1, max_length=MAX_RULES)]

    @model_validator(mode="after")
    def _names_differ(self) -> Rules:
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("two rules have one name")
        return self

    @property
    def modalities(self) -> list[str]:
        """Modalities that any rule meets, in order."""
        return sorted({each for rule in self.rules for each in rule.modality})


def read_rules(file: Path) -> Rules:
    """Read the rules of a YAML file.

    Raises:
        RulesError: If there is no such file, or it holds no rules.
    """
    try:
        if file.stat().st_size > _MAX_FILE:
            raise RulesError(f"{file} has more than {_MAX_FILE} bytes")
        return Rules.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RulesError(f"{file} cannot be read: {type(error).__name__}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise RulesError(f"{file}: {faults}") from error
