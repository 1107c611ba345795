"""Agreement by meaning with a sentence encoder beside the spelling: other words for a thing count as the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from prompt4trust.errors import EncoderMissingError
from prompt4trust.estimators._samples import Draws, Samples
from prompt4trust.estimators.base import Answer
from prompt4trust.estimators.meaning import Meaning
from prompt4trust.meaning.bert import Encoder
from prompt4trust.meaning.embedded import EmbeddedAgreement, embedded_agreement
from prompt4trust.meaning.minilm import minilm
from prompt4trust.models import Downstream, Sampling
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Invalid, Verdict

WITHOUT: Final = Meaning.name
"""The method whose answer it gives where there is no encoder."""
_turns: RunVar[anyio.CapacityLimiter] = RunVar("turns at the encoder")


class MeaningEncoder(Meaning):
    """As `Meaning`, of open questions with the groups of `embedded_agreement`, which joins near answers, too.

    Signals in [0, 1], besides those of `Meaning`: `embedded_degree`, `embedded_centrality` and `semantic_concentration`
    (see `EmbeddedAgreement`). Where the encoder's package is not installed, the answer is that of `meaning` and says so
    by its `estimator`: a confidence by the one is not corrected by a calibrator of the other.

    Args and errors are those of `Meaning`, and:
        encoder: Gives the encoder; called in a thread, for each answer.
    """

    name = "meaning+encoder"

    def __init__(
        self,
        downstream: Downstream,
        template: PromptTemplate,
        sampling: Sampling,
        draws: Draws | None = None,
        *,
        encoder: Callable[[], Encoder] = minilm,
    ) -> None:
        super().__init__(downstream, template, sampling, draws)
        self._encoder = encoder
        self._plain = Meaning(downstream, template, sampling, draws)

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`. The encoder takes its time in a thread, one question at once."""
        samples = await self._sampler.draw(question, options, image_url)
        if options:
            return self.judge(samples)  # letters are the same or not
        try:
            found = await anyio.to_thread.run_sync(self._compare, samples, limiter=_limiter())
        except EncoderMissingError:
            return self._plain.judge(samples)
        return self._embedded(samples, found)

    def _compare(self, samples: Samples) -> EmbeddedAgreement | None:
        answers = [None if isinstance(each, Invalid) else each.answer for each in samples.verdicts]
        return embedded_agreement(answers, self._encoder())

    def _embedded(self, samples: Samples, found: EmbeddedAgreement | None) -> Answer:
        signals = samples.signals()
        place = 0 if found is None else found.agreement.place
        verdict = samples.verdicts[place]
        if found is not None and isinstance(verdict, Verdict):
            verdict = Verdict(verdict.answer, found.agreement.degree)
            signals |= {
                "semantic_certainty": found.agreement.certainty,
                "centrality": found.agreement.centrality,
                "embedded_degree": found.degree,
                "embedded_centrality": found.centrality,
                "semantic_concentration": found.concentration,
            }
        return Answer(verdict, samples.texts[place], self.name, None, samples.cost, signals)


def _limiter() -> anyio.CapacityLimiter:
    """Give this event loop's turns at the encoder: one, since it takes a processor whole."""
    try:
        return _turns.get()
    except LookupError:
        _turns.set(anyio.CapacityLimiter(1))
        return _turns.get()
