"""Weights of a whole model from a directory in Hugging Face layout: nothing is fetched, and no code in it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from services.common.engine.errors import EngineError

Type = torch.dtype | Literal["auto"]
"""Of weights; "auto" is as they were saved."""


def load_weights(loader: Any, path: Path, dtype: Type, attention: str | dict[str, str] | None) -> PreTrainedModel:
    """Load a model.

    Args:
        loader: One of transformers' Auto classes.
        path: The model's directory.
        dtype: Of the weights.
        attention: By transformers' name; a dict names one for each part of the configuration, None leaves the choice.

    Raises:
        EngineError: If the weights do not fill the model.
    """
    # The loader's progress bar would be a line of noise in a service's log.
    progress: Any = transformers_logging
    progress.disable_progress_bar()
    model: PreTrainedModel
    model, report = loader.from_pretrained(
        path,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,  # other formats can run code
        output_loading_info=True,
        **({} if attention is None else {"attn_implementation": attention}),
    )
    if report["missing_keys"]:
        # transformers would fill them with random numbers and only warn.
        raise EngineError(f"the weights lack {len(report['missing_keys'])} of the model's tensors")
    return model
