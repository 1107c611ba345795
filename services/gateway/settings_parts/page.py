"""Settings of the gateway's page."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class PageSettings(BaseSettings):
    """Settings of the page; see the gateway's settings for where values come from."""

    page_samples: Literal["phantoms", "slices"] = Field(
        default="phantoms",
        description="What the page offers to try: made-up pictures, or CT and MR slices that pydicom carries, for "
        "models that read real ones.",
    )
