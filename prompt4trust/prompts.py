"""Prompts: chat messages made from a template, which is data, and a question.

A template is a JSON file with a name and a version, so that a calibrator, a policy version or a report can say exactly
which wording it belongs to. The downstream template puts the image, the question and the options ahead of the guidance:
samples of one question then share their longest prefix, which engines with a prefix cache compute once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from prompt4trust.verdict import OwnParser, load_parser, split_name
from prompt4trust.verdict.sentence_form import verdict_sentence
from prompt4trust.visible_text import visible

Message = dict[str, Any]
"""One chat message in OpenAI's form: role and content, the content a string or a list of parts."""


_FIELD = re.compile(r"\{([a-z]+)\}")
# Servers read these spellings as control tokens, wherever in a text they stand: those of ChatML and its kin (DeepSeek's
# have wide bars), of Llama, Gemma and Mistral, of thoughts and tools, and the places where vision models put pictures.
_CONTROL = re.compile(
    r"<(?=[|\uff5c][^<>|\uff5c\s]{1,64}[|\uff5c]>)"
    r"|<(?=/?(?:s|bos|eos|pad|unk|mask|(?:start|end)_of_(?:turn|image)|image|image_soft_token|img|IMG_CONTEXT|video|audio"
    r"|think|tool_call|tool_response|tools)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|THINK|IMG|IMG_BREAK|IMG_END)\])"
)


class PromptTemplate(BaseModel):
    r"""The wording of one kind of prompt.

    Attributes:
        name: Lower-case identifier, unique with the version.
        version: Whole number, raised with every change of wording.
        role: "answer" asks the downstream model; "guesses" asks it for several answers with a probability each; "guide"
            asks the policy for a calibration guidance prompt.
        system: System message, or None for no system message.
        user: User message with the fields {question}, {options} and, for "answer", {guidance}; for "guesses", {count}.
        option_line: One option, with the fields {letter} and {text}; options are joined by newlines.
        guidance_line: Text for {guidance} where there is guidance, with the field {guidance}; without, it is "".
        scale: What the wording asks the confidence to be: "per-cent", or a "probability", where 1 is certainty.
        order: Where the wording asks for the conclusion: ahead of the reasons, or behind them.
        response_format: Form that the reply must have where the server takes OpenAI's parameter of that name: a JSON
            object of the fields "answer", "confidence" and "explanation" ("json_schema"), or any JSON object
            ("json_object"); or, where the server takes vLLM's structured_outputs, any text with the sentence "the
            answer is X with confidence N" in it ("sentence"). None for any text. The wording should ask for it, too.

    Example:
        >>> template = PromptTemplate(name="plain", version=1, role="guide", user="{question}\n{options}")
        >>> template.id
        'plain@1'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    version: int = Field(ge=1)
    role: Literal["answer", "guide", "guesses"]
    system: str | None = None
    user: str
    option_line: str = "{letter}. {text}"
    guidance_line: str = "{guidance}"
    scale: Literal["per-cent", "probability"] = "per-cent"
    order: Literal["conclude-first", "reason-first"] = "conclude-first"
    response_format: Literal["json_schema", "json_object", "sentence"] | None = None
    # No field: a file of a wording cannot name code to run, only the settings can.
    _parser: OwnParser | None = PrivateAttr(default=None)

    @property
    def id(self) -> str:
        """Name and version, as records and artifacts quote it, and behind a plus the parser, if it has its own."""
        plain = f"{self.name}@{self.version}"
        return plain if self._parser is None else f"{plain}+{self._parser.name}"

    @property
    def parser(self) -> OwnParser | None:
        """The user's parser of its replies; None for the built-in one."""
        return self._parser

    def read_by(self, parser: OwnParser) -> PromptTemplate:
        """Make the same template with a parser of the user's own."""
        copy = self.model_copy()
        copy._parser = parser
        return copy

    @model_serializer(mode="wrap")
    def _without_defaults_of_reading(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Digests of templates that were written before these fields stay what they are.
        written: dict[str, Any] = handler(self)
        ways = {"scale": "per-cent", "order": "conclude-first", "response_format": None}
        return {name: value for name, value in written.items() if name not in ways or ways[name] != value}

    @model_validator(mode="after")
    def _fields_are_present(self) -> PromptTemplate:
        own = {"answer": ["{guidance}"], "guesses": ["{count}"], "guide": []}
        needed = ["{question}", "{options}", *own[self.role]]
        missing = [name for name in needed if self.user.count(name) != 1]
        if missing:
            raise ValueError(f"template {self.name}: the user message must hold {', '.join(missing)} exactly once")
        if self.role != "answer" and self.response_format is not None:
            raise ValueError(f"template {self.name}: only one of role 'answer' has a response_format")
        return self


def load_template(source: str | Path) -> PromptTemplate:
    """Load a template by name from those shipped with the library, or from a JSON file.

    Args:
        source: A shipped template as "name@version" (or "name-version"), or a path to a JSON file.

    Returns:
        The validated template.

    Raises:
        FileNotFoundError: If there is no such template.
        ValueError: If the file is not a valid template.

    Example:
        >>> load_template("answer-compact@1").role
        'answer'
    """
    if isinstance(source, Path):
        return PromptTemplate.model_validate_json(source.read_text(encoding="utf-8"))
    resource = files("prompt4trust") / "templates" / f"{source.replace('@', '-')}.json"
    if not resource.is_file():
        raise FileNotFoundError(f"no shipped prompt template {source!r}")
    return PromptTemplate.model_validate(json.loads(resource.read_text(encoding="utf-8")))


def load_answer_template(source: str) -> PromptTemplate:
    """Load a template that asks the downstream model, as a person names it.

    Args:
        source: A shipped template as "name@version", or the path of a file that ends in ".json"; "+module:function"
            behind it names a parser of one's own (see `prompt4trust.verdict.own_parser`).

    Returns:
        The template, of role "answer".

    Raises:
        OSError: If there is no such template, or it cannot be read.
        ValueError: If it is not a valid template, or has another role, or the parser cannot be imported.

    Example:
        >>> load_answer_template("answer-compact@1").id
        'answer-compact@1'
    """
    name, parser = split_name(source)
    path = Path(name)
    template = load_template(path if path.suffix == ".json" else name)
    if template.role != "answer":
        raise ValueError(f"its role is {template.role!r}, and one of role 'answer' is needed")
    return template.read_by(load_parser(parser)) if parser else template


def answer_messages(
    template: PromptTemplate,
    question: str,
    options: Mapping[str, str],
    *,
    image_url: str | None = None,
    guidance: str | None = None,
) -> list[Message]:
    r"""Build the downstream model's prompt.

    Args:
        template: A template of role "answer".
        question: The question's text.
        options: Letter -> text; empty for an open question.
        image_url: The picture as a data: URL, or None for a text-only question.
        guidance: A calibration guidance prompt, or None.

    Returns:
        Chat messages in OpenAI's form, the image first. What spells a control token, as <|im_end|> does, is taken
        apart in the texts that are inserted, so that no question can end its turn and begin another; characters that
        nobody sees are left out of them; and an option stands on one line, so that it is one option to whoever reads.

    Example:
        >>> wording = "{question}\n{options}\n{guidance}"
        >>> template = PromptTemplate(name="plain", version=1, role="answer", user=wording)
        >>> answer_messages(template, "Which side?", {"A": "Left", "B": "Right"}, guidance="Look at the heart.")
        [{'role': 'user', 'content': 'Which side?\nA. Left\nB. Right\nLook at the heart.'}]
        >>> [part["type"] for part in answer_messages(template, "Which side?", {}, image_url="data:...")[0]["content"]]
        ['image_url', 'text']
    """
    said = visible(guidance or "").strip()
    line = _fill(template.guidance_line, guidance=said) if said else ""
    return _about_picture(template, _render(template, question, options, guidance=line), image_url)


def guess_messages(
    template: PromptTemplate, question: str, options: Mapping[str, str], count: int, *, image_url: str | None = None
) -> list[Message]:
    r"""Build the prompt that asks the downstream model for several answers with a probability each.

    Args:
        template: A template of role "guesses".
        question: The question's text.
        options: Letter -> text; empty for an open question.
        count: Answers to ask for.
        image_url: The picture as a data: URL, or None for a text-only question.

    Returns:
        Chat messages in OpenAI's form, made as those of `answer_messages`.

    Example:
        >>> wording = "{question}\n{options}\n{count} guesses."
        >>> template = PromptTemplate(name="plain", version=1, role="guesses", user=wording)
        >>> guess_messages(template, "Which side?", {"A": "Left", "B": "Right"}, 2)
        [{'role': 'user', 'content': 'Which side?\nA. Left\nB. Right\n2 guesses.'}]
    """
    return _about_picture(template, _render(template, question, options, count=str(count)), image_url)


def response_format(template: PromptTemplate, options: Mapping[str, str]) -> str | None:
    """Build the form that a reply must have, where the template asks for one.

    Args:
        template: A template of role "answer".
        options: Letter -> text; empty for an open question.

    Returns:
        OpenAI's response_format as JSON text: the letters as an enumeration, the confidence as a whole number of 0 to
        100 or, by the template's scale, a number; the reasons where the template's order has them. For a sentence an
        object of one field, vLLM's structured_outputs.

    Example:
        >>> template = load_template("answer-json@1")
        >>> form = json.loads(response_format(template, {"A": "Left", "B": "Right"}))
        >>> form["json_schema"]["schema"]["properties"]["answer"]
        {'type': 'string', 'enum': ['A', 'B']}
    """
    if template.response_format is None:
        return None
    if template.response_format == "sentence":
        return json.dumps({"structured_outputs": {"regex": verdict_sentence(options, template.scale, template.order)}})
    if template.response_format == "json_object":
        return json.dumps({"type": "json_object"})
    percent = {"type": "integer", "enum": list(range(101))}  # enumerated: servers differ in what bounds they take
    fields: dict[str, Any] = {
        "answer": {"type": "string", **({"enum": list(options)} if options else {})},
        "confidence": percent if template.scale == "per-cent" else {"type": "number"},
        "explanation": {"type": "string"},
    }
    order = ["explanation", "answer", "confidence"] if template.order == "reason-first" else list(fields)
    schema = {
        "type": "object",
        "properties": {name: fields[name] for name in order},
        "required": order,
        "additionalProperties": False,
    }
    return json.dumps({"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}})


def guide_messages(template: PromptTemplate, question: str, options: Mapping[str, str]) -> list[Message]:
    r"""Build the policy's prompt: it reads the question and the options, never the image, never the truth.

    Args:
        template: A template of role "guide".
        question: The question's text.
        options: Letter -> text; empty for an open question.

    Returns:
        Chat messages in OpenAI's form.

    Example:
        >>> template = PromptTemplate(name="plain", version=1, role="guide", user="Guide: {question}\n{options}")
        >>> guide_messages(template, "Which side?", {"A": "Left", "B": "Right"})
        [{'role': 'user', 'content': 'Guide: Which side?\nA. Left\nB. Right'}]
    """
    return _messages(template, _render(template, question, options))


def _render(template: PromptTemplate, question: str, options: Mapping[str, str], **more: str) -> str:
    lines = "\n".join(_fill(template.option_line, letter=key, text=_on_one_line(text)) for key, text in options.items())
    return _fill(template.user, question=question.strip(), options=lines, **more)


def _on_one_line(text: str) -> str:
    # An option with a line break could pass for two, and its rest for something else than an option.
    return " ".join(text.splitlines())


def _fill(pattern: str, **values: str) -> str:
    # One pass over the template's own text: what a user wrote between braces is inserted, never interpreted.
    return _FIELD.sub(lambda field: _plain(values[field[1]]) if field[1] in values else field[0], pattern)


def _plain(text: str) -> str:
    return _CONTROL.sub(lambda found: f"{found[0]} ", visible(text))


def _about_picture(template: PromptTemplate, text: str, image_url: str | None) -> list[Message]:
    if image_url is None:
        return _messages(template, text)
    return _messages(template, [{"type": "image_url", "image_url": {"url": image_url}}, {"type": "text", "text": text}])


def _messages(template: PromptTemplate, content: str | list[Message]) -> list[Message]:
    head: list[Message] = [{"role": "system", "content": template.system}] if template.system else []
    return [*head, {"role": "user", "content": content}]
