"""Jobs: requests on their way through the engine, and the samples that each consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prompt4trust.models import Sampling
from services.common.engine.decoding.text_stream import TextStream
from services.common.engine.errors import EngineError
from services.common.engine.interface import Delta, GenerationRequest
from services.common.engine.model.prompt import Prompt

Event = Delta | EngineError
"""News of a request: a sample's delta, or why the request failed."""


@dataclass(eq=False, slots=True)
class Job:
    """A request on its way through the engine.

    Attributes:
        request: The request.
        prompt: Its prompt.
        sampling: Its sampling with seed and max_tokens filled in.
        deadline: Time by the engine's clock at which it fails.
        streaming: Whether deltas are wanted as they come; otherwise one for each finished sample.
        deliver: Takes events, where the request waits.
        started: Samples that have been given a slot.
        unfinished: Samples that are not done.
        withdrawn: Set, from any thread, when nobody waits for the request any more.
        failed: Whether its error has been delivered.
    """

    request: GenerationRequest
    prompt: Prompt
    sampling: Sampling
    deadline: float
    streaming: bool
    deliver: Callable[[Event], None]
    started: int = 0
    unfinished: int = field(init=False)
    withdrawn: bool = False
    failed: bool = False

    def __post_init__(self) -> None:
        self.unfinished = self.request.n

    @property
    def over(self) -> bool:
        """Whether its samples should leave the batch."""
        return self.withdrawn or self.failed


@dataclass(eq=False, slots=True)
class RunningSample:
    """A sample of a request that is being generated.

    Attributes:
        job: The request.
        index: Which of its samples.
        key: Of its random numbers.
        text: Its text.
        tokens: Its tokens.
    """

    job: Job
    index: int
    key: int
    text: TextStream
    tokens: list[int] = field(default_factory=list)
