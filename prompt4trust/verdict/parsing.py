"""Reading a reply: all that is not the model's statement is taken away, and what is left is a verdict or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from prompt4trust.verdict.confidences import Scale, stated_confidences
from prompt4trust.verdict.doubts.foreign import is_left_open
from prompt4trust.verdict.forms.chat_leftovers import is_followed, own_reply
from prompt4trust.verdict.forms.languages import in_english
from prompt4trust.verdict.forms.numerals import in_digits
from prompt4trust.verdict.forms.short_lines import with_short_lines
from prompt4trust.verdict.forms.shorthand import in_full
from prompt4trust.verdict.forms.tables import without_tables
from prompt4trust.verdict.json_objects import without_json
from prompt4trust.verdict.json_reply import read_object
from prompt4trust.verdict.last.last_reading import last_reading
from prompt4trust.verdict.outcome import CUT_OFF, DECLINED, Invalid, Verdict
from prompt4trust.verdict.plain_text import without_echoes, without_markup, without_quotations, without_thoughts
from prompt4trust.verdict.reading import Order, claims_of, read
from prompt4trust.verdict.words.expressions import expression


def parse_verdict(
    text: str,
    options: Collection[str],
    *,
    question: str = "",
    scale: Scale = "per-cent",
    order: Order = "conclude-first",
    finish_reason: str = "stop",
    is_json: bool = False,
) -> Verdict | Invalid:
    r"""Read the answer and the confidence that a model's text states.

    An answer is a letter in words ("the answer is B", "Option B is correct", "I choose B", 答案：B), in a box, a tag, a
    table or JSON, behind the labels of other languages, or at the beginning of the reply; it is read only where it
    stands alone ("C-reactive", "B virus", "A or B" and "a benign lesion" are no letters). Where no letter is announced,
    the one option whose whole text is claimed is the answer. A confidence is a number after or before "confidence" and
    the like. A whole number is read by the template's scale, one with a decimal point and at most 1 as a probability,
    and one on a scale that the reply declares ("8 out of 10") by that; ranges, bounds, numbers of doubt
    ("uncertainty: 20") and numbers off the scale are no confidence.

    Args:
        text: Anything at all.
        options: The question's option letters, or better letter -> text, in any case and order; empty for an open
            question, whose answer is the text after the same words up to "with confidence" or the end of the line.
        question: The question's text: what merely repeats it is no answer.
        scale: What the template asks for: "per-cent", or "probability", where 1 is certainty.
        order: Whether the template asks to conclude first or to reason first: of several verdicts, the one that stands
            there counts, if nothing takes it back.
        finish_reason: The server's word for why the text ended: "length" where it was cut off, "content_filter" or
            "tool_calls" where it did not come to its end either, "refusal" where it declines to answer.
        is_json: Whether the template asks for one JSON object: a reply that is one as a whole is then read strictly,
            by its fields "answer" and "confidence".

    Returns:
        The verdict with its confidence in [0, 1], or the reason why there is none. Never raises.

    Example:
        >>> parse_verdict("The answer is B with confidence 85.", "ABCD")
        Verdict(answer='B', confidence=0.85)
        >>> parse_verdict("**Answer:** (c). Confidence: 7 out of 10", "ABCD")
        Verdict(answer='C', confidence=0.7)
        >>> parse_verdict("<think>The answer is A.</think>\\boxed{B}, 90% confident", "ABCD")
        Verdict(answer='B', confidence=0.9)
        >>> parse_verdict("The answer is A or B with confidence 60.", "ABCD")
        Invalid(reason='ambiguous')
        >>> parse_verdict("I would rather not say.", "ABCD")
        Invalid(reason='no_answer')
        >>> parse_verdict("The answer is a benign lesion with confidence 60.", [])
        Verdict(answer='a benign lesion', confidence=0.6)
    """
    if not text or text.isspace():
        return Invalid("empty")
    if finish_reason.lower() == DECLINED:
        return Invalid("no_answer")
    texts = _texts_of(options)
    sources = [source for source in (question, *texts.values()) if source]
    if any(_reads_as_a_verdict(source, texts) for source in sources):
        return Invalid("leading_question")
    said = without_thoughts(text)
    if said is None:
        return Invalid("cut_off")
    cut = finish_reason.lower() in CUT_OFF and not is_followed(said)
    own = own_reply(said, question, texts)
    if own is None:
        return Invalid("ambiguous")
    whole = read_object(own, texts, scale) if is_json else None
    if whole is not None:
        return whole
    plain = _plain(own, texts, sources)
    if isinstance(plain, Invalid):
        return plain
    verdict = read(plain, texts, scale=scale, order=order, cut=cut)
    if isinstance(verdict, Invalid) and verdict.reason in _NOTHING_READ and not cut:
        return last_reading(plain, texts, scale) or verdict
    return verdict


_NOTHING_READ = frozenset({"no_answer", "no_confidence"})


def answers_in(text: str, options: Collection[str]) -> list[str]:
    """List the answers that a text, perhaps the beginning of a reply, claims so far, whatever confidence it states.

    Args:
        text: Anything at all.
        options: The option letters, or letter -> text.

    Returns:
        Letters in the order of their claims; none where there is none, or where thoughts are not at their end.

    Example:
        >>> answers_in("The answer is B with", "ABCD")
        ['B']
    """
    texts = _texts_of(options)
    said = without_thoughts(text)
    plain = Invalid("cut_off") if said is None else _plain(said, texts, list(texts.values()))
    claims = plain if isinstance(plain, Invalid) else claims_of(plain, texts)
    return [] if isinstance(claims, Invalid) else [claim.answer for claim in claims if claim.meant]


def _texts_of(options: Collection[str]) -> dict[str, str]:
    if isinstance(options, Mapping):
        return {letter.upper(): str(text) for letter, text in options.items()}
    return {letter.upper(): "" for letter in options}


def _plain(text: str, options: Mapping[str, str], sources: list[str]) -> str | Invalid:
    named = without_json(text)
    if named is None:
        return Invalid("ambiguous")
    plain = without_echoes(without_markup(named, blanks=bool(options)), sources)
    if options:  # an open question's answer is kept as it was written
        plain = in_full(with_short_lines(in_digits(plain), options), options.values())
    plain = without_tables(plain, options)
    in_one_language = in_english(plain)
    said = without_quotations(in_one_language)
    if is_left_open(said, options, translated=in_one_language != plain):
        return Invalid("ambiguous")
    return said


_DIGIT = expression(r"\d")


def _reads_as_a_verdict(source: str, options: Mapping[str, str]) -> bool:
    """Whether a question's or an option's text claims an answer and states a confidence."""
    plain = in_digits(without_markup(source))
    if not _DIGIT.search(plain):
        return False
    plain = in_english(in_full(plain))
    stated = next(stated_confidences(plain, "per-cent"), None)
    if stated and not isinstance(claims_of(plain, options, by_text=False), Invalid):
        return True
    return last_reading(plain, options, "per-cent") is not None
