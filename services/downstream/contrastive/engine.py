"""The engine of contrastive models: one picture, lettered options, and the nearest option's letter as a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import torch
from cachetools import LRUCache
from torch import Tensor

from services.common.contrastive.model import ContrastiveModel
from services.common.engine.constraints.grammars import GrammarCompiler, compiling_thread
from services.common.engine.errors import (
    ContextOverflowError,
    DeadlineExceededError,
    EngineBusyError,
    EngineUnavailableError,
    InvalidRequestError,
)
from services.common.engine.interface import Constraint, EngineStats, GenerationRequest, GenerationResult
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.picture_decoding import (
    EncodedPictureLimits,
    RequestPicture,
    decode_in_pool,
    digest_of,
    read_request_picture,
)
from services.common.pictures.pixel_task import decode_pixels
from services.common.pictures.pool import PicturePool, WorkerLimits
from services.downstream.contrastive.choice import read_options, text_of
from services.downstream.contrastive.forms import FREE, Form, fitting_form
from services.downstream.contrastive.writing import Written, WrittenStream, result_of, write_samples

_OPTIONS_A_PICTURE = 64
_CHARACTERS_A_TOKEN = 64
_READ_AT_ONCE = 8192
"""Characters that are read on the event loop; more are read beside it."""


@dataclass(frozen=True, slots=True)
class ContrastiveOptions:
    """Limits of the engine.

    Attributes:
        max_samples: Most samples in hand, running or waiting; more are refused.
        timeout_s: Time limit of a request that has none of its own.
        max_model_len: Most tokens of a completion; 64 times as many characters are the most of a chat's text, of which
            the model reads the options alone.
        kept_pictures: Pictures whose vectors are kept for the next question about them, and 64 times as many options;
            0 for none.
        threads: Of the model's arithmetic; 0 for torch's own choice.
        picture_limits: Largest picture.
        picture_workers: Processes that decode pictures.
    """

    max_samples: int = 288
    timeout_s: float = 120.0
    max_model_len: int = 4096
    kept_pictures: int = 64
    threads: int = 0
    picture_limits: EncodedPictureLimits = field(default_factory=EncodedPictureLimits)
    picture_workers: WorkerLimits = field(default_factory=WorkerLimits)


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """An option as the model has read it: its vector [d], and its number of tokens."""

    vector: Tensor
    tokens: int


class ContrastiveEngine:
    """Answers chats with a contrastive model; use it as an async context manager.

    Guidance in a prompt has no effect: the model reads the options and sees the picture, and nothing else.

    Args:
        model: The model.
        options: Its limits.
    """

    def __init__(self, model: ContrastiveModel, options: ContrastiveOptions) -> None:
        self._model = model
        self._options = options
        self._load = 0
        self._running = 0
        self._open = False
        self._stats = EngineStats()
        self._thread: ThreadPoolExecutor | None = None
        self._grammar_thread: ThreadPoolExecutor | None = None  # started when it is first needed
        self._grammars = GrammarCompiler.of_bytes()
        self._pictures = PicturePool(decode_pixels, options.picture_workers)
        self._seen: LRUCache[bytes, Tensor] = LRUCache(options.kept_pictures)
        self._told: LRUCache[str, _Told] = LRUCache(options.kept_pictures * _OPTIONS_A_PICTURE)

    @classmethod
    async def load(
        cls,
        directory: Path,
        options: ContrastiveOptions,
        *,
        device: str,
        dtype: torch.dtype,
        parts: Path | None = None,
    ) -> ContrastiveEngine:
        """Load a model without blocking the event loop; the engine is not started yet.

        Raises:
            EngineError: If there is no such model.
        """
        store = None if parts is None else PartStore(parts)
        model = await asyncio.to_thread(ContrastiveModel.load, directory, device=device, dtype=dtype, parts=store)
        return cls(model, options)

    async def __aenter__(self) -> Self:
        """Start serving, in the event loop that runs now."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="contrastive-model")
        if self._options.threads:
            await asyncio.get_running_loop().run_in_executor(self._thread, torch.set_num_threads, self._options.threads)
        self._pictures.start()
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop; requests that are not done fail."""
        self._open = False
        await self._pictures.aclose()
        for thread in (self._thread, self._grammar_thread):
            if thread is not None:
                await asyncio.to_thread(thread.shutdown, cancel_futures=True)

    @property
    def max_model_len(self) -> int:
        """Most tokens of a completion."""
        return self._options.max_model_len

    @property
    def max_pictures(self) -> int:
        """One: it is compared with the options."""
        return 1

    @property
    def healthy(self) -> bool:
        """Whether requests are served."""
        return self._open

    @property
    def stats(self) -> EngineStats:
        """Counters and gauges; a step is a picture or an option that a tower has read."""
        return replace(self._stats, running=self._running, waiting=self._load - self._running)

    async def submit(self, request: GenerationRequest) -> WrittenStream:
        """Answer a request; the stream tells what is written by then.

        Raises:
            InvalidRequestError: If the request cannot be served as it is.
            EngineBusyError: If too many are in hand.
            DeadlineExceededError: If its time was up.
            EngineUnavailableError: If the engine does not run.
        """
        samples, tokens = await self._answer(request)
        return WrittenStream(samples, tokens)

    async def complete(self, request: GenerationRequest) -> GenerationResult:
        """Answer a request; raises what `submit` raises."""
        return result_of(*await self._answer(request))

    async def _answer(self, request: GenerationRequest) -> tuple[list[Written], int]:
        if not self._open or self._thread is None:
            raise EngineUnavailableError("The model is not ready.")
        limit = self._options.max_samples
        if self._load + request.n > limit:
            if request.n > limit:
                raise InvalidRequestError(f"n must be at most {limit}.", param="n")
            raise EngineBusyError(1.0)
        if request.penalties.bias:
            message = "Invalid value for 'logit_bias': this model writes no numbered tokens."
            raise InvalidRequestError(message, param="logit_bias", code="invalid_value")
        self._load += request.n
        try:
            async with asyncio.timeout(self._options.timeout_s if request.timeout_s is None else request.timeout_s):
                samples, tokens = await self._write(request, self._thread)
        except TimeoutError:
            raise DeadlineExceededError from None
        except RuntimeError as error:
            if self._open:
                raise
            raise EngineUnavailableError("The model is shutting down.") from error
        finally:
            self._load -= request.n
        self._stats = replace(
            self._stats,
            prompt_tokens=self._stats.prompt_tokens + tokens,
            completion_tokens=self._stats.completion_tokens + sum(len(each.pieces) for each in samples),
        )
        return samples, tokens

    async def _write(self, request: GenerationRequest, thread: ThreadPoolExecutor) -> tuple[list[Written], int]:
        size = self._check_size(request)
        if size > _READ_AT_ONCE:
            options = await asyncio.to_thread(read_options, request.messages)
        else:
            options = read_options(request.messages)
        if len(request.pictures) != 1:
            message = f"This model compares one image with the options; {len(request.pictures)} were sent."
            raise InvalidRequestError(message, param="messages", code="one_image_needed")
        loop = asyncio.get_running_loop()
        picture = await self._picture(request.pictures[0], request.client, loop, thread)
        texts = list(options.values())
        self._running += request.n
        try:
            told, tokens, steps = await loop.run_in_executor(thread, self._read, texts)
        finally:
            self._running -= request.n
        self._stats = replace(self._stats, steps=self._stats.steps + steps)
        logits = self._model.scale * told @ picture
        probabilities = dict(zip(options, logits.double().softmax(dim=0).tolist(), strict=True))
        form, allowed = await self._form(request.constraint, probabilities, loop)
        return write_samples(request, logits, probabilities, form, allowed), tokens

    def _check_size(self, request: GenerationRequest) -> int:
        """Count the characters of a chat, before anything reads them."""
        most, wanted = self._options.max_model_len, request.sampling.max_tokens or 0
        size = sum(len(text_of(message)) for message in request.messages)
        if size > _CHARACTERS_A_TOKEN * most:
            raise ContextOverflowError(
                f"This model takes {_CHARACTERS_A_TOKEN * most} characters of text; the messages have {size}."
            )
        if wanted > most:
            raise ContextOverflowError(
                f"This model's maximum context length is {most} tokens; {wanted} are asked for in the completion."
            )
        return size

    async def _picture(
        self, source: str | bytes, client: str, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor
    ) -> Tensor:
        file, digest = await asyncio.to_thread(self._receive, source)
        if (known := self._seen.get(digest)) is not None:
            return known
        # Strangers' pictures: in processes that are killed with the request.
        pictures = await decode_in_pool([file], self._options.picture_limits, self._pictures, client)
        seen = (await loop.run_in_executor(thread, self._model.encode_pictures, pictures))[0]
        if self._seen.maxsize:
            self._seen[digest] = seen
        self._stats = replace(self._stats, steps=self._stats.steps + 1)
        return seen

    def _receive(self, source: str | bytes) -> tuple[RequestPicture, bytes]:
        """Read a picture's file and its digest; of a large one both take long."""
        file = read_request_picture(source, self._options.picture_limits)
        return file, digest_of([file])

    def _read(self, texts: Sequence[str]) -> tuple[Tensor, int, int]:
        """Encode options, each alone: what comes out must not depend on those beside it.

        It runs on the model's thread alone, since a tokenizer that two threads use pads one's texts as the other asks.

        Returns:
            Vectors, tokens of all options, and how many options were new.
        """
        new = 0
        found = []
        for text in texts:
            if (told := self._told.get(text)) is None:
                try:
                    told = _Told(self._model.encode_options([text])[0], self._model.count_tokens(text))
                except ValueError as error:
                    message = f"This model cannot read an option: {error}."
                    raise InvalidRequestError(message, param="messages", code="option_too_long") from None
                if self._told.maxsize:
                    self._told[text] = told
                new += 1
            found.append(told)
        return torch.stack([told.vector for told in found]), sum(told.tokens for told in found), new

    async def _form(
        self, constraint: Constraint | None, probabilities: dict[str, float], loop: asyncio.AbstractEventLoop
    ) -> tuple[Form, list[str]]:
        if constraint is None:
            return FREE, list(probabilities)
        if self._grammar_thread is None:
            self._grammar_thread = compiling_thread()

        def fit() -> tuple[Form, list[str]]:
            grammar = self._grammars.compile(constraint)
            form, allowed = fitting_form(grammar.holds, probabilities.items())
            if not allowed:
                raise grammar.failure("this model names an option's letter and its confidence, and writes nothing else")
            return form, allowed

        return await loop.run_in_executor(self._grammar_thread, fit)
