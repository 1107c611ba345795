"""Clients' schemas of replies: a bounded part of JSON Schema, all references put in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from services.gateway.chat.question import refuse

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "format", "deprecated", "$comment"})
_PLAIN: Final = frozenset(
    {
        *("type", "enum", "const", "required", "additionalProperties", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems"),
    }
)
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf"})
_ROOT: Final = frozenset({"$defs", "definitions", "$schema"})
_MOST_VALUES: Final = 1_000
_DEEPEST: Final = 16


@dataclass(slots=True)
class _Expansion:
    """Puts references in place, within a number of values: references may double what they lead to at every step."""

    param: str
    definitions: Mapping[str, Any]
    left: int = _MOST_VALUES
    trail: list[str] = field(default_factory=list)

    def expand(self, node: Any) -> dict[str, Any]:
        if not isinstance(node, dict):
            refuse(self._place, "A schema must be an object here.")
        self._spend(1 + len(node))
        if "$ref" in node:
            if node.keys() - _ANNOTATIONS - _ROOT - {"$ref"}:
                refuse(self._place, "Beside a $ref nothing else is served in a schema.", "unsupported_value")
            return self._within(node["$ref"], self._target(node["$ref"]))
        made: dict[str, Any] = {}
        for name, value in node.items():
            if name in _PLAIN:
                self._spend(len(value) if isinstance(value, list) else 1)
                if isinstance(value, dict):
                    refuse(self._place, f"The keyword '{name}' is served only with plain values.")
                made[name] = value
            elif name in _LISTS and isinstance(value, list):
                made[name] = [self._within(name, each) for each in value]
            elif name == "properties" and isinstance(value, dict):
                made[name] = {each: self._within(each, found) for each, found in value.items()}
            elif name == "items":
                made[name] = self._within(name, value)
            elif name not in _ANNOTATIONS and not (name in _ROOT and not self.trail):
                refuse(self._place, f"The keyword {name[:40]!r} is not served in a schema.", "unsupported_value")
        return made

    def _within(self, name: str, node: Any) -> dict[str, Any]:
        if len(self.trail) >= _DEEPEST:
            refuse(self.param, f"A schema may be {_DEEPEST} levels deep, and must not refer to itself.")
        self.trail.append(name)
        made = self.expand(node)
        self.trail.pop()
        return made

    def _target(self, reference: Any) -> Any:
        name = str(reference).removeprefix("#/$defs/").removeprefix("#/definitions/")
        if name == reference or name not in self.definitions:
            refuse(self._place, "A $ref must lead to one of the schema's own $defs.")
        return self.definitions[name]

    def _spend(self, values: int) -> None:
        self.left -= values
        if self.left < 0:
            refuse(self.param, f"A schema may hold {_MOST_VALUES} values, with all references put in place.")

    @property
    def _place(self) -> str:
        return ".".join([self.param, *(name[:64] for name in self.trail)])


@dataclass(frozen=True, slots=True)
class ReplySchema:
    """A client's schema of an object.

    Attributes:
        properties: Name -> what judges its value, in the schema's order.
        required: Names that must be there.
    """

    properties: Mapping[str, Draft202012Validator]
    required: frozenset[str]

    @classmethod
    def of(cls, schema: Mapping[str, Any], param: str) -> ReplySchema:
        """Read a schema.

        Args:
            schema: The schema.
            param: Where in the request it stands, for errors.

        Raises:
            OpenAIError: 400 if it is none, not of an object, too large, or holds keywords that are not served.
        """
        # Few ask for a schema; where checkers of formats are installed, this takes a second, which no start should.
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError

        definitions = {**_object(schema, "definitions", param), **_object(schema, "$defs", param)}
        whole = _Expansion(param, definitions).expand(dict(schema))
        try:
            Draft202012Validator.check_schema(whole)
        except SchemaError as error:
            refuse(param, f"This is no JSON Schema: {error.message[:200]}.")
        if whole.get("type") != "object" or not whole.get("properties"):
            refuse(param, "The schema must have the type 'object' and name its properties.")
        if others := whole.keys() - {"type", "properties", "required", "additionalProperties"}:
            refuse(param, f"The keyword '{min(others)}' is not served at the schema's top.", "unsupported_value")
        properties = {name: Draft202012Validator(each) for name, each in whole["properties"].items()}
        return cls(properties, frozenset(whole.get("required", ())))


def _object(schema: Mapping[str, Any], name: str, param: str) -> Mapping[str, Any]:
    found = schema.get(name, {})
    if not isinstance(found, dict):
        refuse(f"{param}.{name}", "must be an object of schemas.")
    return found
