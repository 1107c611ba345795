"""Functions that a client offers, and the one that a reply is to call.

A named function is a form like any other: the call's arguments are what a schema of `response_format` would get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from services.common.openai.chat_parts import OpenAIModel, inconsistent
from services.common.openai.text_forms import FormName

MOST_TOOLS: Final = 128
"""Most functions of a request, as at OpenAI."""
_NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}


class FunctionTool(OpenAIModel):
    """A function that a client offers.

    Attributes:
        name: Its name.
        description: Taken, and without effect.
        parameters: JSON schema of the object of its arguments; without it there are none.
        strict: Taken, and without effect: arguments are always held to the schema.
    """

    name: FormName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(OpenAIModel):
    """A tool that a client offers.

    Attributes:
        type: Tag of this kind of tool.
        function: The function.
    """

    type: Literal["function"]
    function: FunctionTool


class FunctionName(OpenAIModel):
    """A function by its name.

    Attributes:
        name: The name.
    """

    name: FormName


class NamedTool(OpenAIModel):
    """A tool by its name.

    Attributes:
        type: Tag of this kind of tool.
        function: The function's name.
    """

    type: Literal["function"]
    function: FunctionName


def _kind(value: Any) -> str:
    return "by name" if isinstance(value, dict | NamedTool) else "in a word"


Tools = Annotated[list[Tool], Field(max_length=MOST_TOOLS)]
ToolChoice = Annotated[
    # Tags that are no names of fields: errors leave them out of the parameter that they name.
    Annotated[Literal["none", "auto", "required"], Tag("in a word")] | Annotated[NamedTool, Tag("by name")],
    Discriminator(_kind),
]


@dataclass(frozen=True, slots=True)
class ForcedTool:
    """The function that a reply must call.

    Attributes:
        name: Its name.
        parameters: JSON schema of the object of its arguments.
        param: Where in the request that stands, for errors.
        finish_reason: What ends a reply that calls it: OpenAI says "stop" where the function was named.
    """

    name: str
    parameters: Mapping[str, Any]
    param: str
    finish_reason: Literal["stop", "tool_calls"]


def forced_tool(tools: Sequence[Tool] | None, choice: str | NamedTool | None) -> ForcedTool | None:
    """Find the function that a reply must call; None where it need not call any.

    Args:
        tools: What is offered.
        choice: What the request says of it; None for nothing.

    Raises:
        PydanticCustomError: If choice and tools do not fit each other, or the arguments are no object.

    Example:
        >>> tool = Tool(type="function", function=FunctionTool(name="tell", parameters={"type": "object"}))
        >>> forced_tool([tool], "required").name, forced_tool([tool], "auto")
        ('tell', None)
    """
    offered = [each.function for each in tools or ()]
    names = [each.name for each in offered]
    if len(set(names)) != len(names):
        raise inconsistent("tools", "two functions have one name")
    if choice in (None, "none", "auto"):
        return None
    if not offered:
        raise inconsistent("tool_choice", "it needs 'tools'")
    if isinstance(choice, NamedTool):
        if choice.function.name not in names:
            raise inconsistent("tool_choice.function.name", "no function of 'tools' has that name")
        number = names.index(choice.function.name)
    elif len(offered) > 1:
        raise inconsistent("tool_choice", "among several functions one must be named; none is chosen here")
    else:
        number = 0
    found, param = offered[number], f"tools[{number}].function.parameters"
    parameters = _NO_PARAMETERS if found.parameters is None else found.parameters
    if parameters.get("type") != "object":
        raise inconsistent(param, "arguments are an object: the schema's type must be 'object'")
    return ForcedTool(found.name, parameters, param, "stop" if isinstance(choice, NamedTool) else "tool_calls")


def call_of(name: str, arguments: str, number: str, index: int | None = None) -> dict[str, Any]:
    """Make a call as a reply's message holds it, or a stream's delta.

    Args:
        name: The function's name.
        arguments: Its arguments, as JSON text.
        number: What makes the call's id unique.
        index: Its place in the message, which deltas tell.
    """
    place = {} if index is None else {"index": index}
    return {**place, "id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def further_arguments(text: str) -> dict[str, Any]:
    """Make the delta that adds to the arguments of a stream's one call."""
    return {"index": 0, "function": {"arguments": text}}
