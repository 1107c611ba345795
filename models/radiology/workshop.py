"""A run's folder: what stages leave for each other, so that a broken run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models.radiology.data.features import Views, read_views
from models.radiology.data.prompts import ANSWER_TEMPLATE
from models.radiology.data.questions import Asked, of_split, picture_splits, read_questions
from models.radiology.plan import Plan
from models.radiology.training.batches import Encoder
from models.radiology.training.loop import load_trained
from models.radiology.training.network import make_lean
from prompt4trust.prompts import load_template
from services.common.engine.parts.named_part import EFFICIENTNET_LITE0, SMOLLM2, NamedPart
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.config import JoinedConfig
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration
from services.common.engine.vision.joined.training import CHAT_TEMPLATE, AdapterShape, fresh_joined, tokenizer_of

OPTION_ORDER = 0
"""Seed of the options' order: the same for labelling and for evaluation, whatever the training's seed."""
VIEWS_SEED = 1
SHAPE = AdapterShape(rank=16, alpha=32)


@dataclass(frozen=True)
class Workshop:
    """A run's data, folder, plan and seed.

    Attributes:
        data: A folder of VQA-RAD: questions.jsonl and images/.
        work: Results of finished stages; features, which no seed changes, lie beside the seeds' folders.
        parts: Where the frozen parts lie.
        plan: Sizes.
        seed: Of everything random in training.
        log: Takes lines of progress.
        language, vision: The frozen parts.
        config: Other measures than the parts' own.
        chat_template: The wording around a chat.
        dtype: Of the frozen language model.
    """

    data: Path
    work: Path
    parts: PartStore
    plan: Plan
    seed: int
    log: Callable[[str], None]
    language: NamedPart = SMOLLM2
    vision: NamedPart = EFFICIENTNET_LITE0
    config: JoinedConfig | None = None
    chat_template: str = CHAT_TEMPLATE
    dtype: torch.dtype = torch.bfloat16

    @property
    def folder(self) -> Path:
        """The seed's folder."""
        return self.work / f"seed{self.seed}"

    @cached_property
    def asked(self) -> list[Asked]:
        """All questions, their options in the order of labelling and evaluation."""
        return read_questions(self.data, OPTION_ORDER)

    @cached_property
    def splits(self) -> dict[str, str]:
        """Split of each picture."""
        return picture_splits(self.data)

    @cached_property
    def views(self) -> Views:
        """Cached features of all views."""
        return read_views(self.work / "features.safetensors", self.splits, self.plan.views)

    def questions(self, split: str) -> list[Asked]:
        """Questions of a split."""
        return of_split(self.asked, split)

    def model(self, stage: str | None = None) -> JoinedForConditionalGeneration:
        """Build the model, with what a stage left, or untrained."""
        model = fresh_joined(
            self.parts,
            shape=SHAPE,
            language=self.language,
            vision=self.vision,
            config=self.config,
            seed=self.seed,
            dtype=self.dtype,
        )
        if stage is not None:
            load_trained(model, self.folder / f"{stage}.safetensors")
        model.language_model.set_attn_implementation("eager")
        make_lean(model)
        return model

    def policy_tokenizer(self) -> PreTrainedTokenizerBase:
        """Load the language model's tokenizer, with the wording around a chat."""
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            self.parts.directory(self.language), local_files_only=True
        )
        tokenizer.chat_template = self.chat_template
        return tokenizer

    def encoder(self, model: JoinedForConditionalGeneration) -> Encoder:
        """Make what encodes rows for a model."""
        tokenizer: PreTrainedTokenizerBase = tokenizer_of(model, self.parts)
        tokenizer.chat_template = self.chat_template
        config: Any = model.config
        return Encoder(tokenizer, load_template(ANSWER_TEMPLATE), config)
