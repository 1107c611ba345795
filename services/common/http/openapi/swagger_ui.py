"""Swagger UI at /docs: the service's document as a page, of files that the service has itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI
from fastapi import Path as PathParameter
from starlette.responses import FileResponse

from services.common.auth.access import requires
from services.common.auth.key import Right
from services.common.http.page_headers import PAGE_HEADERS
from services.common.http.problems import Problem

_PACKAGE: Final = "fastapi_offline"
"""The package that carries Swagger UI's files; nothing of its code is used."""
_OWN: Final = Path(__file__).parent / "static"
_FILES: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js")


def add_swagger_ui(app: FastAPI) -> None:
    """Serve the page at /docs and its files below it, to whoever may read /openapi.json.

    Args:
        app: The application, which serves its document at /openapi.json.

    Raises:
        RuntimeError: If the package with Swagger UI's files is not installed.
    """
    places = {name: _OWN / name for name in _FILES}
    places |= {name: _bundled() / name for name in _FILES if name.startswith("swagger-ui")}

    @app.get("/docs", dependencies=[requires(Right.ASK)], include_in_schema=False)
    async def show_docs() -> FileResponse:
        return FileResponse(_OWN / "docs.html", headers=PAGE_HEADERS)

    @app.get("/docs/{name}", dependencies=[requires(Right.ASK)], include_in_schema=False)
    async def show_docs_file(name: Annotated[str, PathParameter(max_length=100)]) -> FileResponse:
        if name not in places:
            raise Problem(404, "not-found", "The API reference has no such file.")
        return FileResponse(places[name], headers=PAGE_HEADERS)


def _bundled() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {_PACKAGE}, which carries Swagger UI, is not installed")
    return Path(spec.origin).parent / "static"
