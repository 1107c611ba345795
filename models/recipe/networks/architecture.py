"""Configurations of the miniature networks: standard Qwen2-VL and Qwen2, only small."""

from dataclasses import dataclass

from transformers import (
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)

from models.recipe.networks.tokenizer import END_OF_TEXT, IMAGE_PAD, TURN_END, VIDEO_PAD, VISION_END, VISION_START

IMAGE_SIDE = 112
PATCH = 14
MERGE = 2
GRID = IMAGE_SIDE // PATCH
IMAGE_TOKENS = (IMAGE_SIDE // PATCH // MERGE) ** 2
MAX_POSITIONS = 4096


@dataclass(frozen=True, slots=True)
class Design:
    """The differences between the downstream models.

    Attributes:
        name: of the artifact.
        seed: of everything random, unless told otherwise.
        width: of the language part, and so of an image token.
        heads, key_value_heads: of 32 each, the first a multiple of the second.
        inner: width of the language part's MLP.
    """

    name: str
    seed: int
    width: int
    heads: int
    key_value_heads: int
    inner: int


SHIPPED = Design("downstream-mini-1", seed=0, width=192, heads=6, key_value_heads=2, inner=512)
# Another network, never seen by the policy's training: shows what carries over.
OTHER = Design("downstream-mini-2", seed=1, width=160, heads=5, key_value_heads=1, inner=448)
DESIGNS = {design.name: design for design in (SHIPPED, OTHER)}


def token_id(tokenizer: PreTrainedTokenizerBase, token: str) -> int:
    """Look up one token's index.

    Raises:
        TypeError: if the tokenizer gives no single index.
    """
    index = tokenizer.convert_tokens_to_ids(token)
    if not isinstance(index, int):
        raise TypeError(f"{token!r} is not one token")
    return index


def downstream_config(tokenizer: PreTrainedTokenizerBase, design: Design = SHIPPED) -> Qwen2VLConfig:
    """Describe the vision-language model (about 3 M parameters, head size 32, untied embeddings).

    Args:
        tokenizer: the shared tokenizer; its length and special tokens go into the configuration.
        design: its sizes.

    Returns:
        A Qwen2-VL configuration that transformers and vLLM both take.
    """
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": design.width,
        "intermediate_size": design.inner,
        "num_hidden_layers": 4,
        "num_attention_heads": design.heads,
        "num_key_value_heads": design.key_value_heads,
        "max_position_embeddings": MAX_POSITIONS,
        # Half the head size (16) split over time, height and width; a small base suits short prompts.
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
        "bos_token_id": token_id(tokenizer, END_OF_TEXT),
        "eos_token_id": token_id(tokenizer, TURN_END),
        "pad_token_id": token_id(tokenizer, END_OF_TEXT),
        "tie_word_embeddings": False,
    }
    vision = {
        "depth": 4,
        "embed_dim": 128,
        "hidden_size": design.width,
        "num_heads": 4,
        "mlp_ratio": 4,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "in_channels": 3,
    }
    return Qwen2VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=token_id(tokenizer, IMAGE_PAD),
        video_token_id=token_id(tokenizer, VIDEO_PAD),
        vision_start_token_id=token_id(tokenizer, VISION_START),
        vision_end_token_id=token_id(tokenizer, VISION_END),
        tie_word_embeddings=False,
    )


def new_downstream(tokenizer: PreTrainedTokenizerBase, design: Design = SHIPPED) -> Qwen2VLForConditionalGeneration:
    """Make an untrained vision-language model; weights follow torch's global generator."""
    return Qwen2VLForConditionalGeneration(downstream_config(tokenizer, design))


def policy_config(tokenizer: PreTrainedTokenizerBase) -> Qwen2Config:
    """Describe the guidance-writing language model (about 0.8 M parameters, untied embeddings)."""
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=320,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=MAX_POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=token_id(tokenizer, END_OF_TEXT),
        eos_token_id=token_id(tokenizer, TURN_END),
        pad_token_id=token_id(tokenizer, END_OF_TEXT),
        tie_word_embeddings=False,
    )


def new_policy(tokenizer: PreTrainedTokenizerBase) -> Qwen2ForCausalLM:
    """Make an untrained policy; weights follow torch's global generator."""
    return Qwen2ForCausalLM(policy_config(tokenizer))
