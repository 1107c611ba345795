"""Swagger UI's page and files: the service's own, under the pages' headers, behind keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.http.app import create_app
from services.common.http.openapi import swagger_ui
from tests.support.keys import bearer, keys_at
from tests.support.servers import running
from tests.support.settings import DemoSettings


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, keys_at(path, reader="ask", scraper="metrics")


@pytest.fixture(scope="module")
def http(keys: tuple[Path, dict[str, str]]) -> Iterator[httpx.Client]:
    async def nothing() -> dict[str, Any]:
        return {}

    app = create_app(
        DemoSettings(api_keys=keys[0]),
        title="Demo",
        lifespan=lambda _: _nothing(),
        readiness=nothing,
        version_info=nothing,
    )
    with running(app) as url, httpx.Client(base_url=url) as client:
        yield client


class _nothing:  # noqa: N801 - a lifespan that does nothing
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"])
def test_they_are_for_whoever_may_read_the_document(
    http: httpx.Client, keys: tuple[Path, dict[str, str]], path: str
) -> None:
    for headers in ({}, bearer(keys[1]["scraper"]), bearer(keys[1]["reader"])):
        assert http.get(path, headers=headers).status_code == http.get("/openapi.json", headers=headers).status_code
    found = http.get(path, headers=bearer(keys[1]["reader"]))
    assert found.status_code == 200
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "unsafe" not in found.headers["content-security-policy"]
    assert found.headers["x-content-type-options"] == "nosniff"


def test_the_page_names_no_file_of_elsewhere_and_holds_no_script(
    http: httpx.Client, keys: tuple[Path, dict[str, str]]
) -> None:
    page = http.get("/docs", headers=bearer(keys[1]["reader"])).text
    assert "://" not in page
    assert page.count("<script") == page.count("></script>") == 2


@pytest.mark.parametrize("name", ["docs.html", "..%2Fdocument.py", "favicon.png", "x" * 101])
def test_there_are_no_other_files(http: httpx.Client, keys: tuple[Path, dict[str, str]], name: str) -> None:
    reply = http.get(f"/docs/{name}", headers=bearer(keys[1]["reader"]))
    assert reply.status_code in (404, 422)
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_missing_package_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swagger_ui, "_PACKAGE", "no_such_package")
    with pytest.raises(RuntimeError, match="no_such_package"):
        swagger_ui.add_swagger_ui(None)  # type: ignore[arg-type]
