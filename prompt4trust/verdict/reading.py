"""The verdict of a plain text: of the answers claimed and the confidences stated, the pair that it comes to, if any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prompt4trust.verdict.claims.choices import chosen_letters
from prompt4trust.verdict.claims.claim import MOST_CLAIMS, Claim
from prompt4trust.verdict.claims.leading import leading_letter
from prompt4trust.verdict.claims.letters import claimed_letters, has_too_many
from prompt4trust.verdict.claims.lone_letters import own_text, stands_alone
from prompt4trust.verdict.claims.open_answers import open_answers
from prompt4trust.verdict.claims.option_texts import claims_by_text
from prompt4trust.verdict.claims.plain_words import claims_in_plain_words
from prompt4trust.verdict.claims.sentences import claims_in_sentences
from prompt4trust.verdict.confidences import (
    MOST_STATED,
    Scale,
    Stated,
    is_crossed,
    short_confidence,
    stated_confidences,
)
from prompt4trust.verdict.doubts.corrections import is_taken_back
from prompt4trust.verdict.doubts.other_claims import is_of_another_claim
from prompt4trust.verdict.doubts.withdrawals import is_withdrawn
from prompt4trust.verdict.outcome import Invalid, Verdict
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

Order = Literal["conclude-first", "reason-first"]
"""Where the prompt asks for the conclusion: at the beginning of the reply, or at its end."""


@dataclass(slots=True)
class Pair:
    """An answer, and what is stated of it before another answer is claimed."""

    claim: Claim
    stated: list[Stated]


def read(text: str, options: Mapping[str, str], *, scale: Scale, order: Order, cut: bool) -> Verdict | Invalid:
    """Read the verdict of a plain text.

    Args:
        text: Plain text.
        options: Letter -> text; empty for an open question.
        scale: What a bare number is.
        order: Where the prompt asks for the conclusion.
        cut: Whether the text was cut off at a longest length.

    Returns:
        The verdict, or why there is none.
    """
    claims = claims_of(text, options)
    if isinstance(claims, Invalid):
        return claims
    if _OF_READERS.search(text) or _ASKS_BACK.search(text[-200:]):
        return Invalid("ambiguous")
    stated = _confidences(text, claims, options, scale)
    if len(claims) > MOST_CLAIMS or len(stated) > MOST_STATED:
        return Invalid("ambiguous")
    if any(claim.alternatives for claim in claims if claim.meant):
        return Invalid("ambiguous")
    chosen = _choose(text, claims, stated, order)
    if chosen is None:
        published = _published_reading(text, options) if order == "conclude-first" and not cut else None
        return published or Invalid("ambiguous")
    claim, confidence = chosen
    if _RETRACTED.search(text, max(claim.end, confidence.end if confidence else 0)) or (
        confidence and (is_crossed(text, confidence.end) or _DENIED_AT_ONCE.search(text, claim.end, confidence.at))
    ):
        return Invalid("ambiguous")
    if confidence is None or confidence.value is None:
        return Invalid("cut_off" if cut else "no_confidence")
    of_another = not confidence.letter and is_of_another_claim(
        text, confidence.at, confidence.end, claim.answer, options
    )
    if (options and of_another) or is_withdrawn(text, claim.end):
        return Invalid("ambiguous")
    if options and is_taken_back(text, claim.answer, claim.end, max(claim.end, confidence.end), options):
        return Invalid("ambiguous")
    if cut and (order == "reason-first" or _may_go_on(text, claim, confidence)):
        return Invalid("cut_off")
    return Verdict(claim.answer, confidence.value)


def claims_of(text: str, options: Mapping[str, str], *, by_text: bool = True) -> list[Claim] | Invalid:
    """List the answers that a plain text claims, of those that can be chosen.

    Args:
        text: Plain text.
        options: Letter -> text; empty for an open question.
        by_text: Whether an option's text claims it, too, where no letter does.

    Returns:
        In order, at least one of them meant, or why there is none.
    """
    if has_too_many(text):
        return Invalid("ambiguous")
    if not options:
        answers = list(open_answers(text))
        return answers if any(claim.meant for claim in answers) else Invalid("no_answer")
    claims = list(claimed_letters(text, options))
    known = [claim for claim in claims if claim.answer in options]
    if any(claim.meant for claim in known):
        return known
    lead = leading_letter(text, options) if not claims else None
    if lead and lead.meant:
        return [lead]
    if claims and not known:
        return Invalid("unknown_option")
    denied, texts = {claim.answer for claim in known}, options if by_text else {}
    for found in (claims_in_sentences(text, options), claims_by_text(text, texts), claims_in_plain_words(text, texts)):
        less_plain = [claim for claim in found if claim.answer not in denied]
        if any(claim.meant for claim in less_plain):
            chosen = {text[at].upper() for _, at in chosen_letters(text, options)} if by_text else set()
            if chosen and not chosen <= {claim.answer for claim in less_plain}:
                return Invalid("ambiguous")
            return [*known, *less_plain]
    return Invalid("no_answer")


# Verdicts of several people, each under a heading: none of them is the model's.
_OF_READERS = expression(
    r"(?:^|(?<=[.;!?] ))(?:the )?(?:(?:first|second|third|other|another|senior|junior|1st|2nd) )?"
    r"(?:reader|radiologist|rater|observer|annotator|reviewer|expert|resident|attending|colleague|student"
    r"|physician|doctor|clinician|consultant|panell?ist|human|grader|judge|feedback|evaluator|tutor"
    r"|(?:bot|assistant|model|gpt|ai|user)(?= ?\d))(?: ?#?\d| [A-D1-9]| one| two| three)?(?:['’]s (?:answer"
    r"|read|verdict))?(?: ?[:=–—]| - )",
    re.IGNORECASE | re.MULTILINE,
)
# The reply ends by asking the question back: what it has told is somebody's, not its own.
_ASKS_BACK = expression(
    r"\b(?:what|which)\b[^.!?\n]{0,40}\b(?:do|would|did) you (?:think|say|choose|pick|answer|believe|prefer)\b"
    r"[^.!?\n]{0,40}\?\W*\Z",
    re.IGNORECASE,
)


def _confidences(text: str, claims: Sequence[Claim], options: Mapping[str, str], scale: Scale) -> list[Stated]:
    chosen = {claim.answer for claim in claims}
    found = list(stated_confidences(text, scale))
    stated = [each for each in found if each.letter is None or each.letter in chosen]
    if found:
        return stated
    for claim in (claim for claim in claims if claim.meant):
        announced = "and confidence" in text[claim.start : claim.at].lower()
        own = own_text(text, claim.at, options)
        short = short_confidence(
            text, claim.end, scale, own=own and claim.at + own, announced=announced, texts=options.values()
        )
        stated += [short] if short else []
    return sorted(stated, key=lambda each: each.at)


# --- Which pair -------------------------------------------------------------------------------------------------------

_TURN = expression(
    rf"{words_at(Place.BETWEEN)}|\b(?:real|true|actual|honest)(?= ?\Z)|\bno,|更正|不对|其实", re.IGNORECASE
)
_RETRACTED = expression(rf"{words_at(Place.BEHIND)}|\bwait(?:[,.:!]|,? no\b)|更正|不对|等等", re.IGNORECASE)
_DENIED_AT_ONCE = expression(rf"{words_at(Place.AT_ONCE)}|[.!?]\s(?:no|wait|correction)\b[,.:;!]", re.IGNORECASE)
_SENTENCE_END = expression(r"[.!?](?=\s)|\n")
_NEAR = 160


def _choose(text: str, claims: list[Claim], stated: list[Stated], order: Order) -> tuple[Claim, Stated | None] | None:
    """Choose the pair that a text comes to; None where it states several."""
    pairs, ahead = _pairs(claims, stated)
    complete = [pair for pair in pairs if pair.stated]
    answers = {pair.claim.answer.casefold() for pair in pairs}
    if not complete:
        if len(answers) > 1 or len({each.value for each in ahead}) > 1:
            return None
        return pairs[0].claim, ahead[0] if ahead else None
    last = order == "reason-first"
    chosen = complete[-1] if last else complete[0]
    value = chosen.stated[-1 if last else 0]
    if any(each.value != value.value for each in ahead):
        return None
    if len(answers) > 1 and not (_are_as_published(text, complete) and _stands_out(text, chosen, pairs, last)):
        return None
    others = [each for pair in complete for each in pair.stated if pair.claim.answer == chosen.claim.answer]
    if any(each.value != value.value for each in others) and not _first_of_its_answer(
        text, chosen, value, others, last
    ):
        return None
    return chosen.claim, value


def _pairs(claims: Sequence[Claim], stated: Sequence[Stated]) -> tuple[list[Pair], list[Stated]]:
    """Put each confidence to the answer before it, or to the one that it names; and those ahead of all answers.

    What is said of an answer that is not meant goes with it.
    """
    pairs: list[Pair] = []
    ahead: list[Stated] = []
    events: list[Claim | Stated] = sorted([*claims, *stated], key=lambda each: each.at)
    for event in events:
        if isinstance(event, Claim):
            if not pairs or pairs[-1].claim.meant != event.meant or not _same(pairs[-1].claim, event):
                pairs.append(Pair(event, []))
        elif not pairs:
            ahead.append(event)
        elif event.letter in (None, pairs[-1].claim.answer):
            pairs[-1].stated.append(event)
    return [pair for pair in pairs if pair.claim.meant], ahead


def _same(claim: Claim, other: Claim) -> bool:
    return claim.answer.casefold() == other.answer.casefold()


def _stands_out(text: str, chosen: Pair, pairs: Sequence[Pair], last: bool) -> bool:
    """Whether a pair stands where the prompt asks for it, and nothing else competes with it."""
    place = pairs.index(chosen)
    others = [pair for pair in pairs if not _same(pair.claim, chosen.claim)]
    if last:
        return place == len(pairs) - 1
    if place or chosen.stated[0].at - chosen.claim.at > _NEAR:
        return False
    if _TURN.search(text, chosen.stated[0].end, min(others[-1].claim.at + 40, len(text))):
        return False
    rivals = [pair for pair in others if pair.stated]
    opens = not _SENTENCE_END.search(text, 0, chosen.claim.start)
    value = chosen.stated[0].value
    return not rivals or (opens and value is not None and all((p.stated[0].value or 0) < value for p in rivals))


def _first_of_its_answer(text: str, chosen: Pair, value: Stated, others: Sequence[Stated], last: bool) -> bool:
    """Whether one of several confidences in the same answer is stated with it, and not taken back later."""
    if any(_is_said_twice(text, value, other) for other in chosen.stated):
        return False
    if last:
        return others[-1] is value
    return value.at - chosen.claim.at <= _NEAR and not _TURN.search(text, value.end, others[-1].at)


_DIGITS = expression(r"[\d.%]+")


def _is_said_twice(text: str, value: Stated, other: Stated) -> bool:
    """Whether another number is stated in the same words, with no answer of its own ("Confidence: 80 ... 60")."""
    if other.value == value.value:
        return False
    words, others = (_DIGITS.sub("", text[each.at : each.end]).strip().casefold() for each in (value, other))
    return words == others


# --- The published reading --------------------------------------------------------------------------------------------

_NARROW_ANSWER = expression(r"answer is\s++(?-i:([A-Za-z]))", re.IGNORECASE)
_NARROW_CONFIDENCE = expression(r"confidence\s++(\d{1,3}+)(?!\d|[.,]\d|\s?[-–/]\s?\d|e[-+]?\d)", re.IGNORECASE)
_WORD = expression(r"[^\W\d_]{2,}")
_FORMAL = frozenset({"the", "answer", "is", "with", "confidence", "and", "of", "a", "level", "option"})


def _are_as_published(text: str, complete: Sequence[Pair]) -> bool:
    """Whether whole verdicts agree, or are the published sentences, of which one counts."""
    whole = [pair for pair in complete if pair.stated[0].value is not None]
    return len({pair.claim.answer.casefold() for pair in whole}) < 2 or all(
        _NARROW_ANSWER.search(text, pair.claim.start, pair.claim.end)
        and _NARROW_CONFIDENCE.match(text, pair.stated[0].at)
        for pair in whole
    )


def _published_reading(text: str, options: Mapping[str, str]) -> Verdict | None:
    """Read a text of nothing but the asked sentences as published results read it: first letter, first number."""
    if any(word.lower() not in _FORMAL for word in _WORD.findall(text)):
        return None
    answers = [found for found in _NARROW_ANSWER.finditer(text) if found[1].upper() in options]
    number = _NARROW_CONFIDENCE.search(text)
    if len({found[1].upper() for found in answers}) != 1 or number is None:
        return None
    answer = answers[0]
    if not stands_alone(text, answer.start(1)):
        return None
    complete = re.findall(r"answer is\s++\W?([A-Z])\b[^a-z]{0,4}(?:with )?confidence\s++\d", text, re.IGNORECASE)
    return None if len(complete) > 1 else Verdict(answer[1].upper(), min(float(number[1]) / 100, 1.0))


# --- Texts that were cut off ------------------------------------------------------------------------------------------

_COMPLETE = expression(r"\s?[,;\n)\"'”]|\.\s|\s?%|\s+(?:because|since|as|with|and (?!\d))")


def _may_go_on(text: str, claim: Claim, stated: Stated) -> bool:
    """Whether the number or the letter at the end of a text that was cut off may be incomplete."""
    rest = text[stated.end :]
    if len(text) - claim.end < 3:
        return True
    if stated.unit:
        return rest.strip().lower() in {"-", "–", "—", "~", "t", "to", "o", "or", "+", "/"}
    return not _COMPLETE.match(rest) and len(rest) < 40
