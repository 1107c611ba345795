"""Settings of the services that take pictures: the same names, bounds and defaults for all of them."""

from __future__ import annotations

from pydantic import Field

from services.common.pictures.pool import WorkerLimits
from services.common.settings import ServiceSettings


class PictureServiceSettings(ServiceSettings):
    """Settings of a service that takes pictures from strangers; such a service subclasses this one."""

    max_image_bytes: int = Field(default=20_000_000, ge=1_000, description="Largest image file.")
    # Beyond 89 million Pillow itself warns.
    max_image_pixels: int = Field(
        default=64_000_000, ge=64, le=89_000_000, description="Largest width times height of a picture."
    )
    image_workers: int = Field(
        default=2, ge=1, le=64, description="Processes that decode pictures, one each at a time."
    )
    image_worker_bytes: int = Field(
        default=512_000_000,
        ge=64_000_000,
        description="Memory that each of them may take for a picture; one that needs more is refused (413).",
    )
    image_deadline_s: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Longest time to decode a picture; then its process is killed and the picture refused (422).",
    )

    @property
    def image_worker_limits(self) -> WorkerLimits:
        """Bounds on the processes that decode."""
        return WorkerLimits(self.image_workers, self.image_worker_bytes, self.image_deadline_s)
