"""OpenAPI documents of all services: valid, whole, with examples that fit, and the same as the stored ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.openapi_documents import SERVICES, STORED, application, stored_form

PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
ENVELOPE = {"$ref": "#/components/schemas/ErrorReply"}
COMPONENT_NAME = re.compile(r"[A-Za-z0-9._-]+")
OPENAIS = {"downstream": ("/v1/",), "gateway": ("/v1/chat/", "/v1/models")}
BOUNDS = {"pattern", "format", "maxLength", "maximum", "enum", "const"}
WITHOUT_RANGE = {
    "StreamReply.evidence",
    # In the units of the object, or of the metric.
    "DicomSeen.window_center",
    *(f"CardFigure.{name}" for name in ("value", "low", "high")),
}
"""Numbers that may be any: the logarithm of an e-value."""
RANGE = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const"}


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def document(service: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return application(service, tmp_path_factory.mktemp("place")).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def resolved(document: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in found:
        return found
    target: Any = document
    for part in found["$ref"].removeprefix("#/").split("/"):
        assert part in target, found["$ref"]
        target = target[part]
    return dict(target)


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_it_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_is_the_stored_one(service: str, document: dict[str, Any]) -> None:
    """A change of what clients rely on is seen."""
    stored = (STORED / f"{service}.json").read_text(encoding="utf-8")
    assert stored_form(document).splitlines() == stored.splitlines(), "where the change is meant: make openapi"


def test_every_reference_leads_somewhere_and_every_component_is_referred_to(document: dict[str, Any]) -> None:
    assert document["paths"]
    used = set()
    for reference in references(document):
        assert resolved(document, reference)
        used.add(reference["$ref"])
    made = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in document["components"][kind]
    }
    assert made == used


def test_components_have_names_that_are_allowed(document: dict[str, Any]) -> None:
    names = [name for kind in document["components"].values() for name in kind]
    assert [name for name in names if not COMPONENT_NAME.fullmatch(name)] == []


def properties(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Properties of a schema and of all schemas inside it; a rule about a property, in `anyOf`, is none itself."""
    for name, found in schema.get("properties", {}).items():
        yield f"{place}.{name}", found
        yield from properties(found, f"{place}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from properties(schema[key], f"{place}[]")
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for each in schema.get(key, ()):
            if "type" in each:
                yield from properties(each, place)


def contents(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bodies and successful replies."""
    for name, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        replies = [reply for status, reply in operation["responses"].items() if status.startswith("2")]
        for each in (*bodies, *replies):
            for media_type, content in each.get("content", {}).items():
                yield f"{name} {media_type}", content


def test_everything_is_described(document: dict[str, Any]) -> None:
    assert document["info"]["description"]
    missing = []
    for name, operation in operations(document):
        missing += [name] if not operation.get("summary") else []
        missing += [f"{name} {each['name']}" for each in operation.get("parameters", ()) if not each.get("description")]
        for status, found in operation["responses"].items():
            reply = resolved(document, found)
            missing += [f"{name} {status}"] if not reply["description"] else []
            headers = {header: resolved(document, each) for header, each in reply["headers"].items()}
            missing += [f"{name} {status} {header}" for header, each in headers.items() if not each.get("description")]
    for name, content in contents(document):
        missing += [
            f"{name}{part}" for part, each in properties(content.get("schema", {})) if not each.get("description")
        ]
    for name, schema in document["components"]["schemas"].items():
        missing += [name] if not schema.get("description") else []
        missing += [f"{name}{part}" for part, each in properties(schema) if not each.get("description")]
    assert missing == []
    texts = [schema["description"] for schema in document["components"]["schemas"].values()]
    assert not [text for text in texts if "Attributes:" in text or re.search(r"\b(None|True|False)\b", text)]


def test_parameters_are_bounded(document: dict[str, Any]) -> None:
    unbounded = [
        f"{name} {each['name']}"
        for name, operation in operations(document)
        for each in operation.get("parameters", ())
        for schema in each["schema"].get("anyOf", [each["schema"]])
        if schema.get("type") != "null" and not BOUNDS & (schema.keys() | each["schema"].keys())
    ]
    assert unbounded == []


def test_errors_are_what_the_service_sends(service: str, document: dict[str, Any]) -> None:
    """Problem documents, or OpenAI's envelopes at routes of its API; a probe's 503 has its own form."""
    for name, operation in operations(document):
        is_openais = any(f" {start}" in name for start in OPENAIS.get(service, ()))
        for status, reply in operation["responses"].items():
            if int(status) < 400:
                continue
            content = dict(resolved(document, reply).get("content", {}))
            problem = content.pop("application/problem+json", None)
            if " /health" in name and status == "503":
                assert problem is not None, name
            elif is_openais:
                assert content == {"application/json": {"schema": ENVELOPE}}, (name, status)
                assert (problem is not None) == (status in ("400", "408", "431", "503")), (name, status)
            else:
                assert content == {}, (name, status)
                assert problem == {"schema": PROBLEM}, (name, status)


def test_every_operation_gives_the_statuses_that_all_services_share(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        statuses = set(operation["responses"])
        assert {"400", "408", "431", "500", "503"} <= statuses, name
        assert ("401" in statuses) == ("403" in statuses) == bool(operation["security"]), name
        assert ("404" in statuses) >= ("{" in name), name
        assert ("413" in statuses) == ("requestBody" in operation), name
        assert len([each for each in statuses if each.startswith("2")]) >= 1, name


def test_every_number_says_its_range(document: dict[str, Any]) -> None:
    unbounded = [
        f"{name}{part}"
        for name, schema in document["components"]["schemas"].items()
        for part, found in properties(schema)
        for each in found.get("anyOf", [found])
        if each.get("type") in ("number", "integer") and not RANGE & (each.keys() | found.keys())
    ]
    assert set(unbounded) <= WITHOUT_RANGE


def test_examples_fit_and_every_body_and_successful_reply_has_one(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        validator = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})
        for example in schema.get("examples", ()):
            assert [error.message for error in validator.iter_errors(example)] == [], name
    missing = [
        name
        for name, content in contents(document)
        if "example" not in content
        and "format" not in content["schema"]  # a file's bytes have none
        and "examples" not in resolved(document, content["schema"])
    ]
    assert missing == []


def test_without_keys_none_need_be_shown(service: str, tmp_path: Path) -> None:
    document = application(service, tmp_path, with_keys=False).openapi()
    OpenAPIV31SpecValidator(document).validate()
    asked = [operation for _, operation in operations(document) if operation["security"]]
    assert asked
    assert all(operation["security"][-1] == {} for operation in asked)
    assert not [name for name, operation in operations(document) if "401" in operation["responses"]]
