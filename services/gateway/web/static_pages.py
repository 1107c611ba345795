"""The web page: static files, sent so that a browser runs nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from services.common.auth import Right, requires
from services.common.http.page_headers import PAGE_HEADERS

FILES: Final = "/static"
"""Path of the pages' files; nothing in them is anybody's secret."""
STATIC: Final = Path(__file__).parents[1] / "static"


def add_page(app: FastAPI, samples: Mapping[str, tuple[bytes, str]] | None = None) -> None:
    """Serve the page at / and what it needs under /static.

    Args:
        app: The gateway.
        samples: Name -> content and media type of samples in the place of the files'.
    """

    @app.get("/", dependencies=[requires(Right.ASK)], include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers=PAGE_HEADERS)

    app.mount(FILES, _GuardedFiles({f"samples/{name}": made for name, made in (samples or {}).items()}))


class _GuardedFiles(StaticFiles):
    def __init__(self, made: Mapping[str, tuple[bytes, str]]) -> None:
        super().__init__(directory=STATIC)
        self._made = made

    async def get_response(self, path: str, scope: Scope) -> Response:
        if path in self._made:
            content, media_type = self._made[path]
            return Response(content, media_type=media_type, headers=PAGE_HEADERS)
        return await super().get_response(path, scope)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(PAGE_HEADERS)
        return response
