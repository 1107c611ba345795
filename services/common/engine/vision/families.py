"""The families of vision-language models that the engine runs, by transformers' `model_type`."""

from __future__ import annotations

from collections.abc import Mapping

from services.common.engine.errors import EngineError
from services.common.engine.vision.family import VisionFamily
from services.common.engine.vision.joined.config import MODEL_TYPE as JOINED
from services.common.engine.vision.joined.modeling import register_joined
from services.common.engine.vision.joined.vision import JoinedVision
from services.common.engine.vision.qwen2_vl.vision import Qwen2VLVision

FAMILIES: Mapping[str, type[VisionFamily]] = {
    "qwen2_vl": Qwen2VLVision,
    "qwen2_5_vl": Qwen2VLVision,
    JOINED: JoinedVision,
}


def register_families() -> None:
    """Make transformers know the families that are this project's own; doing so again changes nothing."""
    register_joined()


def family_of(model_type: str) -> type[VisionFamily]:
    """Look up a model's family.

    Args:
        model_type: As the model's config.json has it.

    Raises:
        EngineError: If the engine has no such family.
    """
    if model_type not in FAMILIES:
        raise EngineError(f"the in-process engine sees with {', '.join(FAMILIES)} models; {model_type} needs vLLM")
    return FAMILIES[model_type]
