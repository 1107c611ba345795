"""The one step that all single-reply estimators share: prompt, one completion, verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prompt4trust.errors import TransportError
from prompt4trust.estimators.base import Answer
from prompt4trust.models import Completion, Cost, Decoding, Downstream, Generation, Guidance, Sampling
from prompt4trust.prompts import PromptTemplate, answer_messages, response_format
from prompt4trust.verdict import Asked, Invalid, Verdict, certainty_score, parse_verdict


async def ask(
    estimator: str,
    downstream: Downstream,
    template: PromptTemplate,
    sampling: Sampling,
    question: str,
    options: Mapping[str, str],
    image_url: str | None,
    guidance: Guidance | None = None,
    *,
    top_logprobs: int | None = None,
) -> tuple[Answer, Completion]:
    """Ask the downstream model once and read the confidence that it states.

    Args:
        estimator: Name that the answer carries.
        downstream: The model to ask.
        template: A template of role "answer".
        sampling: Its decoding.
        question: The question's text.
        options: Letter -> text.
        image_url: The picture as a data: URL, or None.
        guidance: A guidance prompt to put in, with its cost, or None.
        top_logprobs: Alternatives to ask for at each token, or None.

    Returns:
        The answer, its cost including the guidance's, and the reply that it was read from. Where the reply says in
        words how sure it is, the signal words_certainty has their value in [0, 1] (see `certainty_score`).

    Raises:
        TransportError: If the model could not be asked or replied with no completion at all.
    """
    text = guidance.text if guidance else None
    messages = answer_messages(template, question, options, image_url=image_url, guidance=text)
    decoding = in_form(sampling, template, options)
    generation = await downstream.complete(messages, decoding, top_logprobs=top_logprobs)
    reply = first_completion(generation)
    cost = generation.cost + (guidance.cost if guidance else Cost())
    verdict = read_reply(reply, template, question, options)
    said = certainty_score(reply.text, options, verdict.answer, question) if isinstance(verdict, Verdict) else None
    signals = {} if said is None else {"words_certainty": said}
    return Answer(verdict, reply.text, estimator, guidance, cost, signals), reply


def first_completion(generation: Generation) -> Completion:
    """Take the one completion that was asked for.

    Raises:
        TransportError: If there is none.
    """
    if not generation.completions:
        raise TransportError("downstream", "the reply holds no completion")
    return generation.completions[0]


def in_form(sampling: Sampling, template: PromptTemplate, options: Mapping[str, str]) -> Sampling:
    """Bind a decoding to the form that a template asks for, if it asks for any."""
    form = response_format(template, options)
    return sampling if form is None else replace(sampling, response_format=form)


def read_reply(
    reply: Completion, template: PromptTemplate, question: str, options: Mapping[str, str]
) -> Verdict | Invalid:
    """Read a reply by what was asked: its options, and the scale, order and form that the template declares.

    A template with a parser of the user's own has it read by that.

    Args:
        reply: The reply.
        template: The template that it answers.
        question: The question's text.
        options: Letter -> text.

    Returns:
        The verdict, or why there is none.
    """
    if template.parser is not None:
        return template.parser.read(reply.text, options, Asked(question, template.scale, reply.finish_reason))
    return parse_verdict(
        reply.text,
        options,
        question=question,
        scale=template.scale,
        order=template.order,
        finish_reason=reply.finish_reason,
        is_json=template.response_format in ("json_schema", "json_object"),
    )


def check_template(template: PromptTemplate) -> PromptTemplate:
    """Return the template if it is one that asks for an answer.

    Raises:
        ValueError: If its role is another.
    """
    if template.role != "answer":
        raise ValueError(f"template {template.id} has the role {template.role!r}; an estimator needs role 'answer'")
    return template


class SingleReplyEstimator:
    """Base of the estimators that read one reply at a time.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: Its decoding.

    Raises:
        ValueError: If the template has another role.
    """

    name: str

    def __init__(self, downstream: Downstream, template: PromptTemplate, sampling: Sampling) -> None:
        self._downstream = downstream
        self._template = check_template(template)
        self._sampling = sampling

    @property
    def decoding(self) -> Decoding:
        """The decoding of each reply; see `Estimator.decoding`."""
        return Decoding.of(self._sampling)

    async def _ask(
        self,
        question: str,
        options: Mapping[str, str],
        image_url: str | None,
        guidance: Guidance | None = None,
        *,
        top_logprobs: int | None = None,
    ) -> tuple[Answer, Completion]:
        models = (self._downstream, self._template, self._sampling)
        return await ask(self.name, *models, question, options, image_url, guidance, top_logprobs=top_logprobs)
