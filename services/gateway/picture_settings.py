"""Settings of what becomes of pictures at the gateway."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.common.pictures.settings import PictureServiceSettings

Modality = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,16}$")]
GroupName = Annotated[str, Field(min_length=1, max_length=100)]


class GatewayPictureSettings(PictureServiceSettings):
    """Settings of pictures; see the gateway's settings for where values come from."""

    min_image_side: int = Field(default=8, ge=1, description="Fewest pixels on either side.")
    max_image_side: int = Field(default=1024, ge=64, description="Longer side of the picture that the model gets.")
    dicom_modalities: dict[Modality, GroupName] = Field(
        default_factory=dict,
        max_length=64,
        description="Take a DICOM object's own modality for the question's group `modality`, in place of what the "
        'client names, by the word that the evidence has for it: `{"MR": "MRI", "DX": "X-Ray"}`. Those that are not '
        "listed go by their own code; where none is listed the objects' modality is not looked at.",
    )
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
