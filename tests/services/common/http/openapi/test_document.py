"""Additions to FastAPI's document: statuses, descriptions, examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.common.auth import OPEN, Right, requires
from services.common.http.app import create_app
from services.common.http.openapi import Surroundings, complete, json_body, problems
from tests.support.keys import keys_at
from tests.support.settings import DemoSettings


class Part(BaseModel):
    """A part.

    Attributes:
        size: How large it is, or None where nobody
            measured it.
    """

    size: int | None


class Whole(BaseModel):
    """A whole; it is made
    of parts.

    Attributes:
        parts: The parts.
    """

    parts: list[Part]


class Failure(BaseModel):
    """A failure in another service's form.

    Attributes:
        why: The reason.
    """

    why: str


router = APIRouter()


@router.post("/read/{name}", dependencies=[requires(Right.ADMIN)], openapi_extra=json_body(Whole))
async def read(name: str) -> Whole:
    return Whole(parts=[])


@router.get("/busy", dependencies=[OPEN], responses=problems({503: "Too busy.", 409: "Too late."}))
async def busy(limit: Annotated[int, Query()] = 1) -> Part:
    return Part(size=limit)


@router.get("/other/thing", dependencies=[OPEN])
async def thing() -> Part:
    return Part(size=1)


def document(tmp_path: Path, **more: Any) -> dict[str, Any]:
    async def nothing() -> dict[str, Any]:
        return {}

    keys_at(tmp_path / "keys.json")
    settings = DemoSettings(api_keys=tmp_path / "keys.json")
    app = create_app(
        settings,
        title="Demo",
        description="A demonstration.",
        lifespan=lambda _: pytest.fail("not started"),
        readiness=nothing,
        version_info=nothing,
        **more,
    )
    app.include_router(router)
    return app.openapi()


def statuses(found: dict[str, Any], method: str, path: str) -> list[int]:
    return [int(status) for status in found["paths"][path][method]["responses"]]


def test_routes_get_the_statuses_of_what_lies_around_them(tmp_path: Path) -> None:
    found = document(tmp_path)
    assert statuses(found, "post", "/read/{name}") == [200, 400, 401, 403, 404, 408, 413, 415, 422, 431, 500, 503]
    assert statuses(found, "get", "/busy") == [200, 400, 408, 409, 422, 431, 500, 503]
    assert statuses(found, "get", "/other/thing") == [200, 400, 408, 431, 500, 503]
    busy = found["paths"]["/busy"]["get"]["responses"]["503"]
    assert busy["description"] == "Too busy."  # the route's own word goes before the common one
    assert busy["headers"].keys() == {"Retry-After", "X-Request-Id"}
    missing = found["components"]["responses"]["KeyMissing"]
    assert missing["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    }
    assert missing["headers"].keys() == {"WWW-Authenticate", "X-Request-Id"}
    assert "HTTPValidationError" not in found["components"]["schemas"]


def test_bodies_that_routes_read_themselves_are_components(tmp_path: Path) -> None:
    found = document(tmp_path)
    body = found["paths"]["/read/{name}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Whole"}
    assert found["components"]["schemas"]["Whole"]["properties"]["parts"]["items"] == {
        "$ref": "#/components/schemas/Part"
    }


def test_descriptions_come_from_docstrings_in_words_of_json(tmp_path: Path) -> None:
    found = document(tmp_path)["components"]["schemas"]
    assert found["Whole"]["description"] == "A whole; it is made of parts."
    assert found["Part"]["properties"]["size"]["description"] == "How large it is, or null where nobody measured it."


def test_errors_of_another_form(tmp_path: Path) -> None:
    found = document(tmp_path, other_errors={"/other/": Failure})
    replies = found["components"]["responses"]
    form = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    assert replies["InternalErrorFailure"]["content"] == form
    # The connection itself knows no other form.
    assert replies["HeaderTooLargeFailure"]["content"].keys() == {"application/json", "application/problem+json"}
    assert found["paths"]["/other/thing"]["get"]["responses"]["500"] == {
        "$ref": "#/components/responses/InternalErrorFailure"
    }


def test_examples_are_read_from_files_and_must_be_of_something(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    examples.mkdir()
    (examples / "Part.json").write_text(json.dumps({"size": 3}))
    assert document(tmp_path, examples=examples)["components"]["schemas"]["Part"]["examples"] == [{"size": 3}]
    (examples / "Lost.json").write_text("{}")
    with pytest.raises(KeyError, match="Lost"):
        document(tmp_path, examples=examples)


def test_an_empty_document_is_completed_too() -> None:
    bare: dict[str, Any] = {"info": {}, "paths": {}}
    assert complete(bare, Surroundings("", has_keys=False))["components"]["schemas"].keys() == {
        "FieldFault",
        "ProblemDetails",
    }


def test_what_asks_for_no_key_says_so(tmp_path: Path) -> None:
    paths = document(tmp_path)["paths"]
    assert paths["/busy"]["get"]["security"] == []
    assert paths["/read/{name}"]["post"]["security"] == [{"ApiKey": ["admin"]}]


def test_every_reply_has_the_requests_id(tmp_path: Path) -> None:
    found = document(tmp_path)
    id_header = {"$ref": "#/components/headers/RequestId"}
    replies = [
        reply for item in found["paths"].values() for each in item.values() for reply in each["responses"].values()
    ]
    assert {"$ref"} <= {key for reply in replies for key in reply}
    own = [reply for reply in replies if "$ref" not in reply]
    assert all(
        each["headers"]["X-Request-Id"] == id_header for each in (*own, *found["components"]["responses"].values())
    )
