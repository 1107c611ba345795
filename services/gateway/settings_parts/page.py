"""Settings of the gateway's page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from services.common.access_settings import EMPTY_IS_UNSET


class PageSettings(BaseSettings):
    """Settings of the page; see the gateway's settings for where values come from."""

    page_samples: Literal["phantoms", "slices"] = Field(
        default="phantoms",
        description="What the page offers to try: made-up pictures, or CT and MR slices that pydicom carries, for "
        "models that read real ones.",
    )
    page_samples_folder: Annotated[Path | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Folder whose pictures, DICOM too, the page offers in the place of page_samples: up to 24 of 64 MB "
        "together, read when the gateway starts. A file questions.csv (.tsv, .jsonl, .json, .parquet) beside them, as "
        "`trustvqa evaluate --data` reads it, brings questions and options. Whoever may ask can fetch them.",
    )
