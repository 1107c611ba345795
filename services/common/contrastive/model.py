"""Contrastive models from directories: CLIP's architecture, SigLIP's, two joined towers, and ones made of parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from cachetools import LRUCache
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from services.common.contrastive.kinds import KINDS, PART_TOWERS, model_type
from services.common.contrastive.part_towers import load_part_towers
from services.common.contrastive.wording import CONTEXT, Wording, read_wording
from services.common.engine.errors import EngineError
from services.common.engine.parts.store import PartStore
from services.common.engine.weights import load_weights

_MOST_TOKENS = 512


class ContrastiveModel:
    """A picture tower and a text tower whose unit vectors are compared by their cosine.

    Args:
        network: The model, on its device; its weights are frozen.
        tokenizer: Its tokenizer.
        processor: Its image processor.
        wording: What stands around options' texts.
        context: A tuned context [length, width], or None.

    Raises:
        EngineError: If the context's width is not the text tower's.
    """

    def __init__(
        self, network: Any, tokenizer: Any, processor: Any, wording: Wording, context: Tensor | None = None
    ) -> None:
        self._network = network.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._processor = processor
        self._wording = wording
        self._embedding = network.text_model.get_input_embeddings()
        self._longest = _longest_text(network, tokenizer)
        self._known: LRUCache[tuple[tuple[str, ...], int], tuple[Tensor, Tensor]] = LRUCache(64)
        first = tokenizer("a")["input_ids"][0]
        self._begins = int(first in (tokenizer.bos_token_id, tokenizer.cls_token_id))  # tokens all texts begin with
        if context is not None and (context.ndim != 2 or context.shape[1] != self.width):
            raise EngineError(
                f"the context's shape is {tuple(context.shape)}, and {self.width} wide vectors are needed"
            )
        if context is not None and len(context) + _NEEDED > self._longest:
            raise EngineError(f"a context of {len(context)} leaves no room in texts of {self._longest} tokens")
        self.context = None if context is None else context.to(self._embedding.weight)

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        parts: PartStore | None = None,
    ) -> ContrastiveModel:
        """Load a model from a local directory; nothing is fetched, no code is run and no pickle is read.

        Args:
            directory: In Hugging Face layout, weights as safetensors; contrastive.json says what stands around options.
            device: In torch's words.
            dtype: Of the weights.
            parts: Where pretrained parts lie, for a model that is made of some.

        Raises:
            EngineError: If there is no such model.
        """
        kind = model_type(directory)
        if kind not in KINDS:
            raise EngineError(
                f"config.json's model_type is {kind!r}; contrastive models are {', '.join(sorted(KINDS))}"
            )
        if not any(directory.glob("*.safetensors")):
            raise EngineError(f"{directory.name} holds no weights as safetensors; other formats are not read")
        wording = read_wording(directory)
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            if kind == PART_TOWERS:
                network: Any = load_part_towers(directory, parts).to(dtype)
            else:
                network = load_weights(AutoModel, directory, dtype, None)
            tokenizer = AutoTokenizer.from_pretrained(directory, **local)
            processor: Any = AutoImageProcessor
            processor = processor.from_pretrained(directory, **local)
            context = load_file(directory / CONTEXT)["context"] if wording.context else None
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            raise EngineError(f"{directory.name} cannot be loaded: {str(error).splitlines()[0][:300]}") from error
        return cls(network.to(device), tokenizer, processor, wording, context)

    @property
    def width(self) -> int:
        """Width of a token's vector in the text tower, and of a context's."""
        return int(self._embedding.weight.shape[1])

    @property
    def scale(self) -> float:
        """Factor of the cosines ahead of the softmax."""
        return float(self._network.logit_scale.exp())

    @torch.no_grad()
    def encode_pictures(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Encode pictures of any mode and size.

        Returns:
            Unit vectors, float32 [pictures, d], on the CPU.
        """
        pixels = self._processor(images=[each.convert("RGB") for each in pictures], return_tensors="pt")["pixel_values"]
        seen = self._network.get_image_features(pixel_values=pixels.to(self._embedding.weight))
        return functional.normalize(seen.pooler_output.float(), dim=-1).cpu()

    @torch.no_grad()
    def encode_options(self, options: Sequence[str]) -> Tensor:
        """Encode options as this model is served: behind the tuned context, or within the prompt's words.

        Returns:
            Unit vectors, float32 [options, d], on the CPU.

        Raises:
            ValueError: If one has more tokens than the text tower takes.
        """
        if self.context is not None:
            # Not by way of what encode_classes keeps: a question's words are not to stay.
            return self._encode_behind(*self._tokens(options, len(self.context)), self.context).cpu()
        ids, mask = self._tokens([self._wording.text(option) for option in options], 0)
        return self._encode(ids, mask).cpu()

    def encode_classes(self, names: Sequence[str], context: Tensor) -> Tensor:
        """Encode class names behind a context; differentiable in the context.

        Args:
            names: The classes.
            context: float [length, width], put between a text's first token and its name.

        Returns:
            Unit vectors, float32 [classes, d].

        Raises:
            ValueError: If one has more tokens than are left by the context.
        """
        asked = (tuple(names), len(context))
        if asked not in self._known:  # tuning asks for the same names a thousand times
            self._known[asked] = self._tokens(names, len(context))
        return self._encode_behind(*self._known[asked], context)

    def count_tokens(self, text: str) -> int:
        """Count a text's tokens; not beside `encode_options` on another thread, which shares the tokenizer."""
        return len(self._tokenizer(text)["input_ids"])

    def _encode_behind(self, ids: Tensor, mask: Tensor, context: Tensor) -> Tensor:
        length, begin = len(context), self._begins
        # Any token that is no end will do: its vector is replaced.
        places = ids[:, :1].expand(-1, length)
        ids = torch.cat([ids[:, :begin], places, ids[:, begin:]], dim=1)
        mask = torch.cat([mask[:, :begin], torch.ones_like(places), mask[:, begin:]], dim=1)

        def put(_module: Any, _inputs: Any, vectors: Tensor) -> Tensor:
            given = context.to(vectors)[None].expand(len(vectors), -1, -1)
            return torch.cat([vectors[:, :begin], given, vectors[:, begin + length :]], dim=1)

        handle = self._embedding.register_forward_hook(put)
        try:
            return self._encode(ids, mask)
        finally:
            handle.remove()

    def _tokens(self, texts: Sequence[str], taken: int) -> tuple[Tensor, Tensor]:
        room = self._longest - taken
        # SigLIP was trained on texts of one length, and reads the last place.
        fixed = self._network.config.model_type == "siglip"
        padding: dict[str, Any] = {"padding": "max_length", "max_length": room} if fixed else {"padding": True}
        found = self._tokenizer(list(texts), **padding, truncation=False, return_tensors="pt")
        ids = found["input_ids"]
        if ids.shape[1] > room:
            raise ValueError(f"an option's text has {ids.shape[1] + taken} tokens; at most {self._longest} are taken")
        if fixed and ids.shape[1] != room:
            raise RuntimeError(f"the tokenizer made {ids.shape[1]} tokens of a text that is read as {room}")
        mask = torch.ones_like(ids) if fixed else found["attention_mask"]
        device = self._embedding.weight.device
        return ids.to(device), mask.to(device)

    def _encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        told = self._network.get_text_features(input_ids=ids, attention_mask=mask)
        return functional.normalize(told.pooler_output.float(), dim=-1)


_NEEDED = 4
"""Least tokens that a context must leave: begin, end, and something of a name."""


def _longest_text(network: Any, tokenizer: Any) -> int:
    positions = getattr(network.config.text_config, "max_position_embeddings", None) or _MOST_TOKENS
    return int(min(positions, tokenizer.model_max_length, _MOST_TOKENS))
