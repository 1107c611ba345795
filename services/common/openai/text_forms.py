"""Forms that a reply's text is to have, as OpenAI's and vLLM's requests ask for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from services.common.openai.chat_parts import OpenAIModel, inconsistent

FormName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
"""A form's name, which OpenAI wants one of; it is without effect."""
_MOST_CHOICES = 1000


class JsonSchemaForm(OpenAIModel):
    """A JSON document that fits a schema.

    Attributes:
        name: Taken, and without effect.
        description: Taken, and without effect.
        form: The schema, under the name `schema`.
        strict: Taken, and without effect: the text is always held to the schema.
    """

    name: FormName
    description: str | None = None
    form: dict[str, Any] = Field(alias="schema", description="The JSON schema.")
    strict: bool | None = None


class ResponseFormat(OpenAIModel):
    """The form that a chat's reply is to have.

    Attributes:
        type: "text" for any, "json_object" for any JSON object, "json_schema" for what fits a schema.
        json_schema: The schema; needed for the last, and only there.
    """

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaForm | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> ResponseFormat:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise inconsistent("response_format.json_schema", "it goes with the type 'json_schema', and only with that")
        return self


class StructuredOutputs(OpenAIModel):
    """The form that a reply is to have, in vLLM's words: one of json, json_object, regex, choice and grammar.

    Attributes:
        document: A JSON schema, under the name `json`.
        json_object: Whether the text is to be any JSON object.
        regex: A regular expression that the whole text matches.
        choice: Texts of which the reply is one.
        grammar: A context-free grammar in Lark's notation.
        whitespace_pattern: A regular expression of what may stand between the parts of a JSON document.
        disable_any_whitespace: Whether nothing may.
    """

    document: dict[str, Any] | str | None = Field(
        default=None, alias="json", description="A JSON schema that the text fits, as an object or as its text."
    )
    json_object: bool | None = None
    regex: str | None = None
    choice: list[str] | None = Field(default=None, min_length=1, max_length=_MOST_CHOICES)
    grammar: str | None = None
    whitespace_pattern: str | None = Field(default=None, min_length=1, max_length=256)
    disable_any_whitespace: bool | None = None

    @model_validator(mode="after")
    def _is_one_form(self) -> StructuredOutputs:
        forms = [self.document, self.json_object or None, self.regex, self.choice, self.grammar]
        if sum(form is not None for form in forms) != 1:
            message = "exactly one of 'json', 'json_object', 'regex', 'choice' and 'grammar' is needed"
            raise inconsistent("structured_outputs", message)
        return self

    @property
    def whitespace(self) -> str | None:
        """The expression of what may stand between a document's parts; None for the usual, "" for nothing."""
        return "" if self.disable_any_whitespace else self.whitespace_pattern
