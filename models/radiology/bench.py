"""The shipped downstream model, asked in batches without a service, and the replies that it gave."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from models.radiology.data.prompts import ANSWER_TEMPLATE, Row
from models.radiology.data.questions import Asked
from models.radiology.training.batches import Encoder
from models.radiology.training.beginnings import Beginnings
from models.radiology.training.policy import write_hints
from models.radiology.training.replies import Drawing, completions
from prompt4trust.estimators._samples import Draws
from prompt4trust.estimators._tokens import ALTERNATIVES
from prompt4trust.models import Completion
from prompt4trust.prompts import load_template
from services.common.engine.model.loading import load_model
from services.common.engine.model.options import ModelOptions
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.loading import load_joined
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration
from services.common.engine.vision.joined.training import picture_features, tokenizer_of
from services.common.registry.policy_template import read_policy_template

SEED = 42
_GREY = (127, 127, 127)
_AT_ONCE = 192
"""Questions between two savings of replies."""


class ReplyBook:
    """Replies that were given already, in a file of JSON lines: a greedy reply to the same words is the same.

    Args:
        path: The file, made when the first reply is added; None to keep replies in memory alone.
        weights: What tells the model's weights.

    Raises:
        ValueError: If the file holds another model's replies.
    """

    def __init__(self, path: Path | None = None, weights: str = "") -> None:
        self._path = path
        self._weights = weights
        self._held: dict[tuple[str, str, int], list[Completion]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
            row = json.loads(line)
            if row["weights"] != weights:
                raise ValueError(f"{path} holds replies of other weights: name another file")
            self._held[row["id"], row["hint"], row["count"]] = [Completion(**reply) for reply in row["replies"]]

    def __len__(self) -> int:
        return len(self._held)

    def get(self, asked: Asked, hint: str, count: int = 1) -> list[Completion] | None:
        """Give the replies to a question with a hint, as many as were drawn (1: the greedy one); None where unknown."""
        return self._held.get((asked.id, hint, count))

    def add(self, given: Sequence[tuple[Asked, str, list[Completion]]]) -> None:
        """Add questions, hints and replies, and write them down."""
        lines = []
        for asked, hint, replies in given:
            self._held[asked.id, hint, len(replies)] = replies
            told = [
                {"text": each.text, "finish_reason": each.finish_reason}
                | ({} if each.tokens is None else {"tokens": each.tokens, "top_logprobs": each.top_logprobs})
                for each in replies
            ]
            row = {"weights": self._weights, "id": asked.id, "hint": hint, "count": len(replies), "replies": told}
            lines.append(json.dumps(row) + "\n")
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(lines))


@dataclass(frozen=True, slots=True)
class Exam:
    """Questions about pictures that no training saw.

    Attributes:
        asked: The questions.
        views: Place of each one's picture in `features`.
        features: float32 [pictures, picture tokens, feature width].
        beginnings: Keeps what their prompts begin with; None to read each prompt as a whole.
    """

    asked: Sequence[Asked]
    views: Sequence[int]
    features: Tensor
    beginnings: Beginnings | None = None

    def part(self, places: Sequence[int]) -> Exam:
        """Take some of the questions."""
        chosen, views = [self.asked[place] for place in places], [self.views[place] for place in places]
        return Exam(chosen, views, self.features, self.beginnings)


@dataclass(frozen=True, slots=True)
class Bench:
    """The shipped downstream model in float32, as the stack runs it, and what asks it.

    Attributes:
        model: The model.
        encoder: Encodes prompts.
        store: Where the frozen parts lie.
        book: Replies that were given already.
        log: Takes lines of progress.
    """

    model: JoinedForConditionalGeneration
    encoder: Encoder
    store: PartStore
    book: ReplyBook = field(default_factory=ReplyBook)
    log: Callable[[str], None] = print

    def exam(self, asked: Sequence[Asked], data: Path, *, blank: bool = False) -> Exam:
        """Compute the features of questions' pictures, which lie in `images` of a folder of VQA-RAD.

        Args:
            asked: The questions. Replies are kept by their ids: with other pictures they need other ids.
            data: The folder.
            blank: Whether an even grey of the same size takes each picture's place.
        """
        names = sorted({each.picture for each in asked})
        pictures = []
        for name in names:
            with Image.open(data / "images" / name) as opened:
                pictures.append(Image.new("RGB", opened.size, _GREY) if blank else opened.convert("RGB"))
        features = picture_features(self.model, pictures)
        beginnings = Beginnings(self.model, self.encoder, features)
        return Exam(asked, [names.index(each.picture) for each in asked], features, beginnings)

    def greedy(self, exam: Exam, hints: Sequence[str]) -> list[Completion]:
        """Ask questions with a hint each ("": none), with the likeliest alternatives at each token."""
        return [own[0] for own in self._replies(exam, hints, 1)]

    def sampled(self, exam: Exam) -> list[list[Completion]]:
        """Ask questions as `consistency` does, without a hint: as many samples, drawn by the same decoding."""
        return self._replies(exam, [""] * len(exam.asked), Draws().count)

    def writer(self, policy: Path) -> Callable[[Sequence[Asked]], list[str]]:
        """Load a policy version, to write a hint for each question."""
        loaded = load_model(ModelOptions(policy, dtype="float32", parts=self.store.root))
        loaded.network.set_attn_implementation("sdpa")
        template = read_policy_template(policy)
        return lambda asked: write_hints(loaded.network, loaded.tokenizer, template, asked)

    def _replies(self, exam: Exam, hints: Sequence[str], count: int) -> list[list[Completion]]:
        pairs = list(zip(exam.asked, hints, strict=True))
        new = {
            (each.id, hint): place for place, (each, hint) in enumerate(pairs) if not self.book.get(each, hint, count)
        }
        places = list(new.values())
        for start in range(0, len(places), _AT_ONCE):
            part, began = places[start : start + _AT_ONCE], time.monotonic()
            replies = self._ask(exam.part(part), [hints[place] for place in part], count, SEED + start)
            self.book.add([(*pairs[place], own) for place, own in zip(part, replies, strict=True)])
            seconds = (time.monotonic() - began) / len(part)
            self.log(f"{start + len(part)} of {len(places)} asked, {count} each, {seconds:.2f} s a question")
        return [self.book.get(each, hint, count) or [] for each, hint in pairs]

    def _ask(self, exam: Exam, hints: Sequence[str], count: int, seed: int) -> list[list[Completion]]:
        rows = [Row(each, 0, view, hint) for each, view, hint in zip(exam.asked, exam.views, hints, strict=True)]
        kept = exam.beginnings
        if count == 1:
            return completions(
                self.model, self.encoder, rows, exam.features, alternatives=ALTERNATIVES, beginnings=kept
            )  # fmt: skip
        draws = Draws()
        drawing = Drawing(
            count, draws.temperature, draws.top_p, draws.top_k, torch.Generator().manual_seed(seed)
        )  # fmt: skip
        return completions(self.model, self.encoder, rows, exam.features, drawing=drawing, beginnings=kept)


def open_bench(shipped: Path, store: PartStore, log: Callable[[str], None], book: Path | None = None) -> Bench:
    """Load the downstream model of a directory.

    Args:
        shipped: The directory.
        store: Where the frozen parts lie.
        log: Takes lines of progress.
        book: File of replies that were given already, which new ones are added to.

    Raises:
        ValueError: If the file holds replies of other weights.
    """
    model = load_joined(shipped, store, dtype=torch.float32)
    config: Any = model.config
    tokenizer = tokenizer_of(model, store)
    tokenizer.chat_template = (shipped / "chat_template.jinja").read_text(encoding="utf-8")
    replies = ReplyBook(book, weights_digest(shipped))
    return Bench(model, Encoder(tokenizer, load_template(ANSWER_TEMPLATE), config), store, replies, log)


def weights_digest(shipped: Path) -> str:
    """Compute what tells the weights of a model's directory from others': SHA-256, as hexadecimal digits."""
    digest = hashlib.sha256()
    for file in ("adapter_model.safetensors", "projector.safetensors"):
        digest.update((shipped / file).read_bytes())
    return digest.hexdigest()
