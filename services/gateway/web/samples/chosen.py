"""The samples that the page offers, as the settings choose them, and the routes that they are fetched by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Response

from services.common.auth import Right, requires
from services.common.http.problems import Problem
from services.gateway.settings import GatewaySettings
from services.gateway.web.samples.folder import FolderSample, folder_samples
from services.gateway.web.samples.slices import slice_samples
from services.gateway.web.static_pages import FILES, STATIC

PATH: Final = "/samples"
"""Path of the list of samples, and below it of an operator's own pictures: for those who may ask, as /vqa is."""
_FRESH: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class PageSamples:
    """The samples of a page.

    Args:
        settings: The gateway's settings.

    Attributes:
        files: Name -> content and media type of files in the place of those of the page's own samples; nobody's secret.
        router: The routes.

    Raises:
        SampleFolderError: If the operator's folder cannot be used.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._own: Sequence[FolderSample] = ()
        self.files = slice_samples() if settings.page_samples == "slices" else {}
        if settings.page_samples_folder is not None:
            self._own = folder_samples(settings.page_samples_folder, settings.image_limits, settings.max_image_bytes)
            listed = [_listed(sample, number) for number, sample in enumerate(self._own)]
        else:
            stored = self.files["samples.json"][0] if self.files else (STATIC / "samples" / "samples.json").read_bytes()
            listed = [
                {"name": each["image"], **each, "image": f"{FILES}/samples/{each['image']}"}
                for each in json.loads(stored)
            ]
        self._list = json.dumps(listed, ensure_ascii=False).encode()
        self.router = APIRouter(dependencies=[requires(Right.ASK)], include_in_schema=False)
        self.router.add_api_route(PATH, self._all, methods=["GET"])
        self.router.add_api_route(PATH + "/{number}", self._picture, methods=["GET"])

    async def _all(self) -> Response:
        return Response(self._list, media_type="application/json", headers=_FRESH)

    async def _picture(self, number: int) -> Response:
        if not 0 <= number < len(self._own):
            raise Problem(404, "unknown-sample", "There is no such sample.")
        return Response(self._own[number].content, media_type="application/octet-stream", headers=_FRESH)


def _listed(sample: FolderSample, number: int) -> dict[str, Any]:
    asked = {} if sample.question is None else {"question": sample.question, "options": sample.options}
    return {
        "name": sample.name,
        "label": sample.label,
        "image": f"{PATH}/{number}",
        "thumbnail": sample.thumbnail,
        **asked,
    }
