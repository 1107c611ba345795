"""Estimators, the ways to obtain an answer and its confidence: a module each, one protocol, one table of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from prompt4trust.errors import PolicyNeededError, SecondModelNeededError
from prompt4trust.estimators._second_looks import LeftS, SecondLooks, without_end
from prompt4trust.estimators.avg_conf import AvgConf, AvgConfAll
from prompt4trust.estimators.base import Answer, Estimator
from prompt4trust.estimators.cgp import Cgp
from prompt4trust.estimators.cgp_consistency import CgpConsistency
from prompt4trust.estimators.cgp_logprob import CgpLogprob
from prompt4trust.estimators.cgp_open import CgpOpen
from prompt4trust.estimators.cgp_picture import CgpPicture, CgpPictureNoise
from prompt4trust.estimators.cgp_relative import STORED, CgpRelative
from prompt4trust.estimators.cgp_second_model import CgpSecondModel
from prompt4trust.estimators.cgp_self_check import CgpSelfCheck
from prompt4trust.estimators.cgp_typicality import CgpTypicality
from prompt4trust.estimators.cgp_vote import CgpVote
from prompt4trust.estimators.consistency import Consistency
from prompt4trust.estimators.entropy import Entropy, EntropySpread
from prompt4trust.estimators.fixed_prompt import FixedPrompt
from prompt4trust.estimators.logprob import Logprob
from prompt4trust.estimators.meaning import Meaning
from prompt4trust.estimators.meaning_encoder import MeaningEncoder
from prompt4trust.estimators.perturbation import Perturbation
from prompt4trust.estimators.top_k import TEMPLATE, TopK
from prompt4trust.estimators.verbalized import Verbalized
from prompt4trust.meaning.embedded import VERSION
from prompt4trust.models import Downstream, Policy, Sampling
from prompt4trust.prompts import PromptTemplate

__all__ = [
    "ESTIMATORS",
    "Answer",
    "AvgConf",
    "AvgConfAll",
    "Cgp",
    "CgpConsistency",
    "CgpLogprob",
    "CgpOpen",
    "CgpPicture",
    "CgpPictureNoise",
    "CgpRelative",
    "CgpSecondModel",
    "CgpSelfCheck",
    "CgpTypicality",
    "CgpVote",
    "Consistency",
    "Entropy",
    "EntropySpread",
    "Estimator",
    "EstimatorEntry",
    "FixedPrompt",
    "Logprob",
    "Meaning",
    "MeaningEncoder",
    "Perturbation",
    "PolicyNeededError",
    "SecondModelNeededError",
    "TopK",
    "Verbalized",
    "get_estimator",
    "wording_of",
]


@dataclass(frozen=True, slots=True)
class Ingredients:
    """All that an estimator may be made of; each takes what it needs.

    Attributes:
        downstream: The model that answers.
        policy: The model that writes guidance; None where there is none.
        second: Another downstream model, for its opinion of the answer; None where there is none.
        template: A template of role "answer".
        sampling: Decoding of both downstream models.
        left_s: Gives the seconds that are left for second looks.
    """

    downstream: Downstream
    policy: Policy | None
    second: Downstream | None
    template: PromptTemplate
    sampling: Sampling
    left_s: LeftS

    def policy_for(self, name: str) -> Policy:
        """Give the policy; PolicyNeededError, which names the estimator, where there is none."""
        if self.policy is None:
            raise PolicyNeededError(f"estimator {name!r} needs a policy")
        return self.policy

    def second_for(self, name: str) -> Downstream:
        """Give the second model; SecondModelNeededError, which names the estimator, where there is none."""
        if self.second is None:
            raise SecondModelNeededError(f"estimator {name!r} needs a second downstream model")
        return self.second


Make = Callable[[Ingredients], Estimator]


@dataclass(frozen=True, slots=True)
class EstimatorEntry:
    """An entry of the table of estimators.

    Attributes:
        summary: A few words for help texts.
        needs_policy: Whether it asks the policy.
        make: Builds it; policy and second model are None only where needs_policy and needs_second are False.
        replies: Most replies of downstream models that one answer takes.
        samples: Whether it draws at random even where the sampling that it is given is greedy.
        template: Name and version of the wording that it asks with, whatever the run's; None where it asks by that.
        compared_by: Name and version of what it compares open answers by, beside their spelling; None for nothing.
        needs_second: Whether it asks a second downstream model, once for each answer, which is among its replies.
    """

    summary: str
    needs_policy: bool
    make: Make
    replies: int = 1
    samples: bool = False
    template: str | None = None
    compared_by: str | None = None
    needs_second: bool = False


def wording_of(estimator: str, template: str, second: str | None = None) -> str:
    """Name the wording that an estimator's confidence comes from, as calibration keys have it.

    Args:
        estimator: Its name; one that is not known asks by the run's template.
        template: Name and version of the run's answer template.
        second: Name of the second downstream model; None where there is none. It counts for estimators that ask it.

    Example:
        >>> wording_of("cgp", "answer-compact@1"), wording_of("top-k", "answer-compact@1")
        ('answer-compact@1', 'guesses-standard@1')
        >>> wording_of("cgp+second-model", "answer-compact@1", "llava")
        'answer-compact@1, second opinion of llava'
    """
    entry = ESTIMATORS.get(estimator)
    if entry is None:
        return template
    asked = entry.template or template
    compared = f", answers compared by {entry.compared_by}" if entry.compared_by is not None else ""
    opinion = f", second opinion of {second}" if entry.needs_second and second is not None else ""
    return f"{asked}{compared}{opinion}"


def _alone(kind: Callable[[Downstream, PromptTemplate, Sampling], Estimator]) -> Make:
    def make(of: Ingredients) -> Estimator:
        return kind(of.downstream, of.template, of.sampling)

    return make


def _guided(name: str, kind: Callable[[Downstream, Policy, PromptTemplate, Sampling], Estimator]) -> Make:
    def make(of: Ingredients) -> Estimator:
        return kind(of.downstream, of.policy_for(name), of.template, of.sampling)

    return make


def _looking(name: str, kind: type[SecondLooks]) -> Make:
    def make(of: Ingredients) -> Estimator:
        return kind(of.downstream, of.policy_for(name), of.template, of.sampling, left_s=of.left_s)

    return make


def _second_model(of: Ingredients) -> Estimator:
    name = CgpSecondModel.name
    return CgpSecondModel(
        of.downstream, of.second_for(name), of.policy_for(name), of.template, of.sampling, left_s=of.left_s
    )


ESTIMATORS: Mapping[str, EstimatorEntry] = MappingProxyType(
    {
        "verbalized": EstimatorEntry("no guidance; the stated confidence", False, _alone(Verbalized)),
        "fixed-prompt": EstimatorEntry("one fixed sentence for all; the stated confidence", False, _alone(FixedPrompt)),
        "top-k": EstimatorEntry(
            "four guesses with a probability each; the likeliest", False, _alone(TopK), template=TEMPLATE
        ),
        "consistency": EstimatorEntry("agreement among samples", False, _alone(Consistency), 21, samples=True),
        "avg-conf": EstimatorEntry(
            "agreement among samples, weighed by stated confidence", False, _alone(AvgConf), 21, samples=True
        ),
        "avg-conf-all": EstimatorEntry(
            "the same, with the first sample and the invalid ones counted", False, _alone(AvgConfAll), 21, samples=True
        ),
        "entropy": EstimatorEntry(
            "concentration of many samples, nearly greedy ones", False, _alone(Entropy), 40, samples=True
        ),
        "entropy-spread": EstimatorEntry(
            "concentration of many samples, the invalid ones counted", False, _alone(EntropySpread), 40, samples=True
        ),
        "meaning": EstimatorEntry(
            "agreement among samples by what they mean, for open questions above all",
            False,
            _alone(Meaning),
            21,
            samples=True,
        ),
        "meaning+encoder": EstimatorEntry(
            "the same by a sentence encoder, too, which takes a package of its own",
            False,
            _alone(MeaningEncoder),
            21,
            samples=True,
            compared_by=VERSION,
        ),
        "perturbation": EstimatorEntry("how much noise the answer stands", False, _alone(Perturbation), 10),
        "logprob": EstimatorEntry("the probability of the letter, or of an open reply", False, _alone(Logprob)),
        "cgp": EstimatorEntry("the policy's guidance; the stated confidence", True, _guided("cgp", Cgp)),
        "cgp+logprob": EstimatorEntry(
            "the policy's guidance; the stated confidence, and how probable the reply was",
            True,
            _guided("cgp+logprob", CgpLogprob),
        ),
        "cgp+picture": EstimatorEntry(
            "as cgp+logprob, and whether the answer stands on the picture: a blank one is asked about, too",
            True,
            _looking("cgp+picture", CgpPicture),
            2,
        ),
        "cgp+picture+noise": EstimatorEntry(
            "the same, with the picture under noise as a third", True, _looking("cgp+picture+noise", CgpPictureNoise), 3
        ),
        "cgp+self-check": EstimatorEntry(
            "as cgp+logprob, and the model asked whether its answer is right",
            True,
            _looking("cgp+self-check", CgpSelfCheck),
            2,
        ),
        "cgp+typicality": EstimatorEntry(
            "as cgp+logprob, and the model asked whether the picture is a typical case of its answer",
            True,
            _looking("cgp+typicality", CgpTypicality),
            2,
        ),
        "cgp+relative": EstimatorEntry(
            "as cgp+logprob, and the model asked which it could answer more surely, this question or stored ones",
            True,
            _looking("cgp+relative", CgpRelative),
            1 + len(STORED),
        ),
        "cgp+open": EstimatorEntry(
            "as cgp+logprob, and whether the model says the same where no options are named",
            True,
            _looking("cgp+open", CgpOpen),
            2,
        ),
        "cgp+second-model": EstimatorEntry(
            "as cgp+logprob, and how probable a second model finds the answer",
            True,
            _second_model,
            2,
            needs_second=True,
        ),
        "cgp+vote": EstimatorEntry(
            "the policy's guidance; the most frequent answer of samples that are drawn until it is decided",
            True,
            _guided("cgp+vote", CgpVote),
            21,
            samples=True,
        ),
        "cgp+consistency": EstimatorEntry(
            "the policy's guidance; agreement among samples",
            True,
            _guided("cgp+consistency", CgpConsistency),
            21,
            samples=True,
        ),
    }
)
"""Every estimator by the name that requests, reports and calibrators use."""


def get_estimator(
    name: str,
    downstream: Downstream,
    policy: Policy | None,
    template: PromptTemplate,
    sampling: Sampling,
    left_s: LeftS = without_end,
    second: Downstream | None = None,
) -> Estimator:
    """Make an estimator by name.

    Args:
        name: One of `ESTIMATORS`.
        downstream: The model that answers.
        policy: The model that writes guidance, or None where there is none.
        template: A template of role "answer".
        sampling: The downstream model's decoding; its seed is the run's, from which the estimators that
            sample or draw noise derive one for each question.
        left_s: Gives the seconds that are left for second looks once an answer is there: one without a reply by then is
            lost, and the answer is not.
        second: Another downstream model, asked for its opinion of the answer; None where there is none.

    Returns:
        The estimator, with its default counts and temperatures; its class takes others.

    Raises:
        KeyError: If there is no estimator of that name.
        PolicyNeededError: If it asks the policy and there is none.
        SecondModelNeededError: If it asks a second model and there is none.
        ValueError: If the template has another role.

    Example:
        >>> import asyncio
        >>> from prompt4trust.models import Completion, Cost, Generation
        >>> from prompt4trust.prompts import load_template
        >>> class Scripted:
        ...     async def complete(self, messages, sampling, *, n=1, top_logprobs=None):
        ...         return Generation([Completion("The answer is A with confidence 80.", "stop")] * n, Cost(calls=1))
        >>> estimator = get_estimator("verbalized", Scripted(), None, load_template("answer-compact@1"), Sampling())
        >>> asyncio.run(estimator.answer("Which side?", {"A": "Left", "B": "Right"}, None)).verdict
        Verdict(answer='A', confidence=0.8)
    """
    if name not in ESTIMATORS:
        raise KeyError(f"no estimator {name!r}; there are {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name].make(Ingredients(downstream, policy, second, template, sampling, left_s))
