"""A model, and how it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch

from services.common.engine.vision.picture_decoding import EncodedPictureLimits
from services.common.engine.weights import Type

DType = Literal["float32", "bfloat16", "float16", "auto"]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """A model, and how it is loaded.

    Attributes:
        path: Directory in Hugging Face layout.
        dtype: Of the weights; "auto" is float32 on a CPU, else as saved. Only float32 makes sampling independent of the
            batch.
        device: In torch's words; "auto" is a GPU where there is one, else the CPU.
        max_model_len: Most tokens of prompt and completion; None for as many as the model was made for.
        slots: Most samples that run at once.
        picture_limits: Largest picture.
        max_pictures: Most pictures in a request.
        prefix_entries: Most prompts with pictures that are kept for others that begin alike; 0 for none.
        prefix_bytes: Most bytes of their keys and values, and as many again of their pictures.
        parts: Directory of pretrained parts, for models that name some; None where there is none.
    """

    path: Path
    dtype: DType = "float32"
    device: str = "cpu"
    max_model_len: int | None = None
    slots: int = 32
    picture_limits: EncodedPictureLimits = field(default_factory=EncodedPictureLimits)
    max_pictures: int = 4
    prefix_entries: int = 64
    prefix_bytes: int = 256 << 20
    parts: Path | None = None

    def resolved(self) -> ModelOptions:
        """Settle the device and the weights' type for this machine."""
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype: DType = "float32" if self.dtype == "auto" and device == "cpu" else self.dtype
        return replace(self, device=device, dtype=dtype)

    @property
    def torch_dtype(self) -> Type:
        """The weights' type in torch's words."""
        if self.dtype == "auto":
            return "auto"
        found: torch.dtype = getattr(torch, self.dtype)
        return found
