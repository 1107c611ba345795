"""Settings of what becomes of pictures at the gateway."""

from __future__ import annotations

from pydantic import Field

from services.common.pictures.settings import PictureServiceSettings


class GatewayPictureSettings(PictureServiceSettings):
    """Settings of pictures; see the gateway's settings for where values come from."""

    min_image_side: int = Field(default=8, ge=1, description="Fewest pixels on either side.")
    max_image_side: int = Field(default=1024, ge=64, description="Longer side of the picture that the model gets.")
    kept_picture_bytes: int = Field(
        default=32_000_000,
        ge=0,
        description="Memory for prepared pictures, so that the next question about one of them, by whoever sent it, "
        "need not wait for it to be decoded; 0 for none, so that nothing of a picture outlasts its question in the "
        "gateway; the downstream service's own is prefix_entries.",
    )
    kept_picture_s: float = Field(
        default=300.0, gt=0, le=86_400, description="How long a prepared picture is kept, in seconds."
    )
