"""The artifacts' files: Hugging Face layout, safetensors, everything that transformers and vLLM need beside weights."""

from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from models.publishing import open_to_readers, write_json
from models.recipe.networks.architecture import IMAGE_SIDE, MERGE, PATCH, SHIPPED
from models.recipe.networks.tokenizer import END_OF_TEXT, TURN_END
from models.recipe.training.vision import PIXEL_MEAN, PIXEL_STD
from prompt4trust.prompts import PromptTemplate

DOWNSTREAM = SHIPPED.name
POLICY = "policy-mini-sft-1"
REPLY_TOKENS = 48

# Pinning both ends to 112 x 112 resizes every square picture to 64 patches; others get the nearest grid that fits.
_PIXELS = IMAGE_SIDE * IMAGE_SIDE
_IMAGE_PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2VLProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"shortest_edge": _PIXELS, "longest_edge": _PIXELS},
    "min_pixels": _PIXELS,
    "max_pixels": _PIXELS,
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [PIXEL_MEAN] * 3,
    "image_std": [PIXEL_STD] * 3,
    "patch_size": PATCH,
    "temporal_patch_size": 2,
    "merge_size": MERGE,
}
# Never used, but Qwen2VLProcessor (vLLM) cannot be built without it.
_VIDEO_PROCESSOR = {
    **{key: value for key, value in _IMAGE_PROCESSOR.items() if key != "image_processor_type"},
    "video_processor_type": "Qwen2VLVideoProcessor",
    "min_frames": 2,
    "max_frames": 4,
}


def save_downstream(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the vision-language model with tokenizer, image processor and generation defaults.

    Args:
        model: weights; stored in bfloat16, to which they are rounded.
        tokenizer: the shared tokenizer.
        folder: made if missing; files of the same names are replaced.
    """
    _save_language_model(model, tokenizer, folder)
    write_json(folder / "preprocessor_config.json", _IMAGE_PROCESSOR)
    write_json(folder / "video_preprocessor_config.json", _VIDEO_PROCESSOR)


def save_policy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, template: PromptTemplate
) -> None:
    """Write the policy, and `prompt.json`: the template that it was trained with belongs to its version.

    Args:
        model: weights; stored in float32, so that training can go on from them.
        tokenizer: the shared tokenizer.
        folder: made if missing; files of the same names are replaced.
        template: the prompt template of role "guide".
    """
    _save_language_model(model, tokenizer, folder, torch.float32)
    write_json(folder / "prompt.json", template.model_dump())


def _save_language_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, dtype: torch.dtype = torch.bfloat16
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = model.dtype
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=REPLY_TOKENS,
        bos_token_id=tokenizer.convert_tokens_to_ids(END_OF_TEXT),
        eos_token_id=tokenizer.convert_tokens_to_ids(TURN_END),
        pad_token_id=tokenizer.convert_tokens_to_ids(END_OF_TEXT),
    )
    model.set_attn_implementation("sdpa")
    model.to(dtype).save_pretrained(folder, safe_serialization=True)  # type: ignore[arg-type]  # stub wants nn.Module
    model.to(kept)  # type: ignore[arg-type]  # the same
    tokenizer.save_pretrained(folder)
    open_to_readers(folder)
