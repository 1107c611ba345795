"""Parts of requests of OpenAI's chat completions API that services have in common.

unserved(0)    marks a field that is not served: only values that ask for nothing are taken
inconsistent   makes the error of fields that do not fit each other
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema


class OpenAIModel(BaseModel):
    """A part of a request."""

    # Strict: OpenAI's API takes no "2" for a number either, and the OpenAPI document says so.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(eq=False, slots=True)
class _Unserved:
    """Marks what is not served: only values that ask for nothing are taken, and they become None."""

    neutral: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        forms = [_form_of(each) for each in self.neutral if isinstance(each, dict | list)]
        plain = {"enum": [*(each for each in self.neutral if not isinstance(each, dict | list)), None]}
        shape = {"anyOf": [*forms, {"type": "null"}]} if forms else plain
        return {**shape, "description": "Not served: taken only where it asks for nothing."}

    def _check(self, value: Any) -> None:
        # In Python False is 0, and in JSON it is not.
        if value is not None and (isinstance(value, bool) or value not in self.neutral):
            raise ValueError("this model does not support it")


def _form_of(value: dict[str, str] | list[str]) -> dict[str, Any]:
    """Describe an object or a list that must be exactly this; generators of clients take none in an `enum`."""
    if isinstance(value, list):
        return {"type": "array", "items": {"enum": value} if value else {}, "maxItems": len(value)}
    members = {name: {"const": each, "description": "The only value that is taken."} for name, each in value.items()}
    return {"type": "object", "properties": members, "required": [*value], "additionalProperties": False}


def unserved(*neutral: Any) -> _Unserved:
    """Mark a field that is not served, in `Annotated`: only null and these values, which ask for nothing, are taken."""
    return _Unserved(neutral)


def inconsistent(param: str, message: str) -> PydanticCustomError:
    """Make the error of a parameter that does not fit another one."""
    return PydanticCustomError("inconsistent", "{message}", {"param": param, "message": message})


class TextPart(OpenAIModel):
    """A piece of text.

    Attributes:
        type: Tag of this kind of part.
        text: The text.
    """

    type: Literal["text"]
    text: str


class ImageUrl(OpenAIModel):
    """Address of an image.

    Attributes:
        url: The picture as a base64 data: URL, or its address on a host that the service may fetch from.
        detail: Taken, and without effect.
    """

    url: str = Field(min_length=1)
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(OpenAIModel):
    """An image.

    Attributes:
        type: Tag of this kind of part.
        image_url: Where the image is.
    """

    type: Literal["image_url"]
    image_url: ImageUrl


UserPart = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class MessageBase(BaseModel):
    """A message of a chat."""

    # Clients send back the assistant messages that they received, members without a value included.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)
    name: str | None = Field(default=None, description="Taken, and without effect.")


class UserMessage(MessageBase):
    """A person's message.

    Attributes:
        role: Tag of this kind of message.
        content: Text, or texts and images in order.
    """

    role: Literal["user"]
    content: str | list[UserPart]


class StreamOptions(OpenAIModel):
    """Options of a stream.

    Attributes:
        include_usage: Whether a last event is to count the tokens.
        include_obfuscation: Taken, and without effect.
    """

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
