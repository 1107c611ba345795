"""Jobs: requests on their way through the engine, and the samples that each consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prompt4trust.models import Sampling
from services.common.engine.constraints.grammar_state import GrammarState
from services.common.engine.constraints.grammars import Grammar
from services.common.engine.constraints.penalties import PenaltyState
from services.common.engine.decoding.randomness import sample_key
from services.common.engine.decoding.text_stream import TextStream
from services.common.engine.errors import EngineError
from services.common.engine.interface import Delta, GenerationRequest
from services.common.engine.model.adapter import TransformersAdapter
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
        grammar: What its texts are held to.
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
    grammar: Grammar | None = None
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
        grammar: Its place in the grammar that it is held to.
        penalties: Its tokens as its penalties see them.
        tokens: Its tokens.
    """

    job: Job
    index: int
    key: int
    text: TextStream
    grammar: GrammarState | None = None
    penalties: PenaltyState | None = None
    tokens: list[int] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether it has the form that it is held to and nothing may follow."""
        return self.grammar is not None and self.grammar.complete

    @property
    def failure(self) -> EngineError | None:
        """Why it cannot go on; None where it can."""
        if self.grammar is None or self.grammar.trouble is None or self.job.grammar is None:
            return None
        return self.job.grammar.failure(self.grammar.trouble)

    @classmethod
    def begin(cls, job: Job, index: int, adapter: TransformersAdapter) -> RunningSample:
        """Make a sample that has no tokens yet."""
        assert job.sampling.seed is not None  # noqa: S101 - filled in when the request came
        text = TextStream(adapter.vocabulary.detokenizer(), job.request.stop)
        grammar = None if job.grammar is None else job.grammar.begin()
        wanted, penalties = job.request.penalties, None
        if not wanted.neutral:
            penalties = PenaltyState(wanted, job.prompt.tokens, adapter.width, adapter.device)
        return cls(job, index, sample_key(job.sampling.seed, index), text, grammar, penalties)
