"""Parts' files, as packages hold them, to directories in Hugging Face layout.

`python -m services.common.engine.parts.converters FORM FILE DIRECTORY` converts one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel, GgufConfig
from transformers.utils import logging as transformers_logging

from services.common.engine.parts.lite_tower.config import LiteTowerConfig
from services.common.engine.parts.lite_tower.tower import LiteTower, folded
from services.common.engine.parts.named_part import Form


def _gguf(file: Path, target: Path) -> None:
    """Write a language model in float32: half as many bytes would round what 4 bits and a scale give."""
    progress: Any = transformers_logging
    progress.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
        local_files_only=True,
    )
    tokenizer.save_pretrained(target)
    model.save_pretrained(target)
    for each in target.glob("*.safetensors"):
        each.chmod(0o644)


def _efficientnet_lite(file: Path, target: Path) -> None:
    """Write a tower whose batch normalisations are part of its convolutions."""
    weights: Mapping[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    config = LiteTowerConfig()
    tensors = folded(weights, config)
    LiteTower(config).load_state_dict(tensors)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    (target / "config.json").write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")


def _bert(file: Path, target: Path) -> None:
    """Write an encoder without what only its training needed; beside it lie its configuration and its tokenizer.

    Only the weights are held to a digest: a model that is made of this part has its own configuration and tokenizer.
    """
    config = BertConfig.from_pretrained(file.parent, local_files_only=True)
    kept = BertModel(config, add_pooling_layer=False)
    wanted = kept.state_dict()
    tensors = {name.removeprefix("bert."): tensor.float() for name, tensor in load_file(file).items()}
    kept.load_state_dict({name: tensor for name, tensor in tensors.items() if name in wanted})
    kept.save_pretrained(target)
    AutoTokenizer.from_pretrained(file.parent, local_files_only=True).save_pretrained(target)
    for each in target.glob("*.safetensors"):
        each.chmod(0o644)


_CONVERTERS: Mapping[Form, Callable[[Path, Path], None]] = {
    "gguf": _gguf,
    "efficientnet_lite": _efficientnet_lite,
    "bert": _bert,
}


def main(form: str, file: str, target: str) -> None:
    """Convert a part's file, already checked, into an empty directory."""
    found = next((convert for each, convert in _CONVERTERS.items() if each == form), None)
    if found is None:
        raise SystemExit(f"there is no form {form}")
    found(Path(file), Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
