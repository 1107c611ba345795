"""Questions as POST /vqa takes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from prompt4trust.pictures import DicomChoice
from prompt4trust.pictures.dicom.choice import MAX_FRAME
from prompt4trust.questions import MAX_OPTIONS
from services.common.http.question_fields import OPTION_LETTER, plain_text, read_options
from services.gateway.picture_schemas import AskedWindow, WindowName
from services.gateway.settings_parts.methods import DEFAULT_METHODS

MAX_QUESTION = 4_000
MAX_OPTION = 500
MAX_GROUPS = 16
MAX_GROUP = 100


def _distinct(options: dict[str, str]) -> dict[str, str]:
    # What reads alike is alike: neither a model nor a person could tell such options apart.
    seen = {" ".join(text.casefold().split()) for text in options.values()}
    if len(seen) != len(options):
        raise PydanticCustomError("option_twice", "options must differ from each other")
    return options


def _offered_method(name: str, info: ValidationInfo) -> str:
    offered = (info.context or {}).get("methods", DEFAULT_METHODS)
    if name not in offered:
        raise PydanticCustomError("unknown_method", "must be one of: {offered}", {"offered": ", ".join(offered)})
    return name


def _plain_groups(groups: dict[str, str]) -> dict[str, str]:
    if len(groups) > MAX_GROUPS:
        raise PydanticCustomError("group_count", "at most {most} groups can be named", {"most": MAX_GROUPS})
    return {
        plain_text(name, what="a group's name", limit=MAX_GROUP): plain_text(value, what="a group", limit=MAX_GROUP)
        for name, value in groups.items()
    }


OptionText = Annotated[str, Field(min_length=1, max_length=MAX_OPTION)]
OptionList = Annotated[list[OptionText], Field(max_length=MAX_OPTIONS)]
LetteredOptions = Annotated[
    dict[str, OptionText],
    Field(max_length=MAX_OPTIONS, json_schema_extra={"propertyNames": {"pattern": OPTION_LETTER}}),
]
Options = Annotated[
    dict[str, str],
    BeforeValidator(
        lambda options: read_options(options, limit=MAX_OPTION), json_schema_input_type=OptionList | LetteredOptions
    ),
    AfterValidator(_distinct),
]


class Ask(BaseModel):
    """A question about a picture, without the picture. The OpenAPI document of /vqa is made of this model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Annotated[
        str,
        AfterValidator(lambda text: plain_text(text, what="the question", limit=MAX_QUESTION)),
        Field(
            description="The question, 1 to 4 000 characters.",
            json_schema_extra={"minLength": 1, "maxLength": MAX_QUESTION},
        ),
    ]
    options: Options = Field(
        default_factory=dict,
        description="2 to 26 distinct texts, lettered A, B, C, ... in order, or an object letter -> text; [] for an "
        "open question. Where they are missing, lines of the question such as 'A: Left' are the options.",
    )
    method: Annotated[str, AfterValidator(_offered_method)] = Field(
        description="How the confidence is obtained: one of those that GET /v1/about lists with the default.",
        json_schema_extra={"minLength": 1, "maxLength": 40},
    )
    max_risk: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Largest accepted share of wrong answers among those given; by default the gateway's own.",
    )
    coverage: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Rate at which the option set is to hold the right option; by default the gateway's own.",
    )
    groups: Annotated[dict[str, str], AfterValidator(_plain_groups)] = Field(
        default_factory=dict,
        description='What the client knows of the question, such as {"modality": "CT"}: an option set whose coverage '
        "holds within such groups is then that of the question's own.",
        json_schema_extra={
            "maxProperties": MAX_GROUPS,
            "propertyNames": {"minLength": 1, "maxLength": MAX_GROUP},
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MAX_GROUP},
        },
    )
    frame: Annotated[int, Field(ge=1, le=MAX_FRAME)] | None = Field(
        default=None, description="Frame of a DICOM object, from 1; by default the middle one, which the reply names."
    )
    window: WindowName | AskedWindow | None = Field(
        default=None,
        description="Window of grey of a DICOM object: the name of one of its own, or centre and width in its own "
        "units. By default its first.",
    )

    @property
    def choice(self) -> DicomChoice:
        """The part of a DICOM object that is asked about."""
        window = self.window
        return DicomChoice(self.frame, (window.center, window.width) if isinstance(window, AskedWindow) else window)
