"""Objects of JSON among a reply's words, as Python prints them, too: put as the two lines that they stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from prompt4trust.verdict.forms.languages import is_answer_label, is_confidence_label
from prompt4trust.verdict.words.expressions import expression

_ANSWER_KEYS = frozenset(
    {"answer", "final_answer", "choice", "option", "selected_option", "selection", "letter", "prediction", "答案"}
)
_CONFIDENCE_KEYS = frozenset(
    {"confidence", "confidence_score", "confidence_level", "certainty", "probability", "置信度"}
)
_PER_CENT_KEYS = frozenset({"confidence_percent", "confidence_percentage", "confidence_pct"})
_WRAPPERS = frozenset({"arguments", "parameters", "args", "input", "function", "result", "output", "response"})
# Besides, what an object may be called that is the reply itself; a reader's, an example's or a draft's is none.
_OWN_OBJECTS = _WRAPPERS.union(["results", "final", "verdict", "assessment", "conclusion", "data", "json", "vqa"])
_DEEPEST = 50
_LARGEST_JSON = 100_000
_MOST_OBJECTS = 8


def without_json(text: str) -> str | None:
    """Put the objects of a reply that name an answer as the two lines that they stand for.

    Args:
        text: The reply.

    Returns:
        The text with "Answer: ..." and "Confidence: ..." in the objects' place; None where two objects, or two keys of
        one, contradict each other.
    """
    if "{" not in text or len(text) > _LARGEST_JSON:
        return text
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=str, parse_int=str)
    parts: list[str] = []
    stated: set[str] = set()
    since = at = 0
    for _ in range(_MOST_OBJECTS):
        at = text.find("{", at)
        if at < 0:
            break
        try:
            found, end = _python_object(text, at) or decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if is_deep(found):
            return None
        lines = _as_lines(found) if isinstance(found, _Pairs) else ""
        if lines is None:
            return None
        if lines and (_DISOWNED_BEFORE.search(text[max(at - 120, 0) : at]) or _DISOWNED_BEHIND.match(text, end)):
            return None
        if lines:
            stated.add(lines)
            parts += [text[since:at], "\n", lines, "\n"]
            since = end
        at = end
    return None if len(stated) > 1 else "".join([*parts, text[since:]])


class _Pairs(list[tuple[str, Any]]):
    """An object's pairs, doubles included."""


# A pair of a flat object as Python prints it.
_PYTHON_PAIR = expression(
    r"\s{0,80}+'(?P<key>[^'\\\n{}]{1,60}+)'\s?+:\s?+(?:'(?P<single>[^'\\\n{}]{0,2000}+)'"
    r"|\"(?P<double>[^\"\\\n{}]{0,2000}+)\"|(?P<bare>-?\d{1,9}+(?:\.\d{1,9}+)?+|True|False|None))\s{0,80}+(?P<next>[,}])"
)
_PYTHON_END = expression(r"\s{0,80}+\}")
_PYTHON_NAMES = {"True": True, "False": False, "None": None}
_MOST_PAIRS = 40


def _python_object(text: str, at: int) -> tuple[_Pairs, int] | None:
    """Read a flat object as Python prints it ("{'answer': 'B', 'confidence': 85}"), and the place behind it."""
    pairs = _Pairs()
    end = at + 1
    for _ in range(_MOST_PAIRS):
        found = _PYTHON_PAIR.match(text, end)
        if found is None:
            return None
        bare = _PYTHON_NAMES.get(found["bare"], found["bare"])
        said = next((each for each in (found["single"], found["double"]) if each is not None), bare)
        pairs.append((found["key"], said))
        end = found.end()
        if found["next"] == "}":
            return pairs, end
        if (closed := _PYTHON_END.match(text, end)) is not None:
            return pairs, closed.end()
    return None


def _as_lines(pairs: _Pairs) -> str | None:
    if is_disowned(pairs):
        return None
    answers = {_answer_of(value) for key, value in pairs if _names_an_answer(key)}
    stated = {_number_of(value) for key, value in pairs if _names_a_confidence(key)}
    stated |= {_in_per_cent(value) for key, value in pairs if _plain(key) in _PER_CENT_KEYS}
    if len(answers) > 1 or len(stated) > 1:
        return None
    if not answers:
        if list(islice(_objects_with_answers(pairs), 2)) not in ([], [True]):
            return None
        wrapped = [value for key, value in pairs if _plain(key) in _WRAPPERS]
        return _as_lines(_unpacked(wrapped[0])) if len(wrapped) == 1 and not stated else ""
    answer, *_ = answers
    return f"Answer: {answer or 'none'}\nConfidence: {next(iter(stated), 'none')}"


# Fields that say whether or how the others hold, and the values that leave them as they are.
_VERIFIED = frozenset({"valid", "verified", "correct", "is_correct", "is_valid", "is_verified", "is_final"})
_OUTDATED = frozenset({"previous", "draft", "rejected", "retracted", "withdrawn", "old"})
_ERRORS = frozenset({"error", "errors", "erreur", "fehler", "errore", "erro", "错误", "エラー", "오류"})
_FAILED = frozenset({"error", "failed", "rejected", "invalid", "draft", "example", "template"})
_SCALES = frozenset({"scale", "confidence_scale", "unit", "units"})
_PER_CENT = frozenset({"0-100", "1-100", "%", "percent", "per cent", "percentage"})
_OTHER_ANSWERS = frozenset(
    {"correct_answer", "true_answer", "ground_truth", "corrected_answer", "revised_answer", "expected_answer"}
    | {"placeholder", "example", "is_example", "is_placeholder", "template"}
)
_REMARKS = frozenset({"note", "notes", "comment", "comments", "remark", "remarks", "warning"})
_REMARKED = expression(
    r"\b(?:error|actually|wrong|incorrect|instead|placeholder|example|dummy|invalid)\b", re.IGNORECASE
)
# Words around an object on its line that say it is none of the model's.
_DISOWNED_BEFORE = expression(
    r"\b(?:schema|example|template|sample|wrong|incorrect|bad|another|other|previous|earlier|would be"
    r"|would have been|should look"
    r"|looks? like|instead of|not|never|GPT\S*|user|student|expected)\b[^\n.!?{}]{0,60}(?:\n?```(?:json)?\n?)?\s?$"
    # In the object's own sentence.
    r"|\b(?:doubt\w*|(?:it is|it['’]s) (?:false|incorrect|untrue|unlikely)|according to (?:the|a|my) (?:\w+ )?(?:report"
    r"|radiologist|colleague|reader|resident|doctor)|suppos\w+|hypothetical\w*"
    r"|if(?! (?:you|needed|required|necessary|helpful|useful|preferred|asked)))\b[^\n.!?{}]{0,60}$",
    re.IGNORECASE,
)
_DISOWNED_BEHIND = expression(
    r"[\s`.,;:)-]{0,8}(?:(?:it|this|that|which|the|my|above|output|answer|reply|response|object|json) ){0,4}"
    r"(?:(?:is|was) what (?:the |my |a |an )?(?!I\b)\w+ (?:wrote|said|says|answered|claimed|thinks|thought)\b|"
    r"(?:(?:was|were) |(?:is|are|looks|seems) (?:clearly |probably |likely |only |just |merely )?"
    r"(?:wrong|incorrect|false|invalid|an? (?:mere )?(?:example|placeholder|template|sample|guess at the format)"
    r"|not (?:correct|right"
    r"|my answer))\b|would ))",
    re.IGNORECASE,
)


def is_disowned(pairs: list[tuple[str, Any]]) -> bool:
    """Whether an object holds a field that denies, corrects or rescales the others."""
    for key, value in pairs:
        name, said = _plain(key), str(value).strip().lower()
        if name in _OTHER_ANSWERS and said not in {"false", "none", ""}:
            return True
        if name in _OUTDATED and (isinstance(value, list) or said not in {"false", "none", ""}):
            return True
        if name in _ERRORS and said not in {"false", "none", "null", "", "0", "no"}:
            return True
        if name in {"status", "type"} and said in _FAILED:
            return True
        if name in _VERIFIED and said not in {"true", "yes"}:
            return True
        if name in _SCALES and said not in _PER_CENT:
            return True
        if name in _REMARKS and _REMARKED.search(said):
            return True
    return False


def is_deep(value: object) -> bool:
    """Whether more levels stand within each other than anybody writes, and than it is safe to go down."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for each in level if isinstance(each, list | tuple) for inner in each]
        if not level:
            return False
    return True


def _unpacked(value: object) -> _Pairs:
    """Take the object out of a wrapper, where tool calls write it as a string, too; an empty one if there is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value, object_pairs_hook=_Pairs, parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            return _Pairs()
    return value if isinstance(value, _Pairs) and not is_deep(value) else _Pairs()


def _objects_with_answers(pairs: _Pairs) -> Iterator[bool]:
    """Find what stands within an object and names an answer: whether all names on the way to it are the reply's own."""
    left: list[tuple[bool, Any]] = [(True, pairs)]
    while left:
        is_own, value = left.pop()
        if not isinstance(value, _Pairs):
            left += [(is_own, inner) for inner in value if isinstance(inner, list)]
            continue
        if value is not pairs and any(_names_an_answer(name) for name, _ in value):
            yield is_own
        left += [(is_own and _plain(key) in _OWN_OBJECTS, inner) for key, inner in value if isinstance(inner, list)]


def _names_an_answer(key: str) -> bool:
    return _plain(key) in _ANSWER_KEYS or is_answer_label(key.strip())


def _names_a_confidence(key: str) -> bool:
    return _plain(key) in _CONFIDENCE_KEYS or is_confidence_label(key.strip())


def _in_per_cent(value: object) -> str:
    """Write a number that its field's name calls per cent; none where it may be a share all the same."""
    number = value.removesuffix("%").strip() if isinstance(value, str) else ""
    return f"{number}%" if re.fullmatch(r"\d{1,3}(?:\.\d+)?", number) and float(number) > 1 else "none"


def _number_of(value: object) -> str:
    """Write a confidence's number, which an object of a value and its unit may hold; "none" for anything else."""
    if not isinstance(value, _Pairs):
        return value if isinstance(value, str) else "none"
    said = {_plain(key): str(inner) for key, inner in value}
    units = {unit for key, unit in said.items() if key in _SCALES}
    numbers = [number for key, number in said.items() if key not in _SCALES]
    if len(said) < len(value) or len(numbers) != 1 or not said.keys() & {"value", "score"}:
        return "none"
    if not units:
        return numbers[0]
    return _in_per_cent(numbers[0]) if {unit.strip().lower() for unit in units} <= _PER_CENT else "none"


def _plain(key: str) -> str:
    return key.strip().lower().replace(" ", "_").replace("-", "_")


def _answer_of(value: object) -> str:
    if isinstance(value, _Pairs):
        return next((_answer_of(inner) for key, inner in value if _plain(key) in _ANSWER_KEYS), "")
    if isinstance(value, list):
        return " or ".join(_answer_of(inner) for inner in value)
    return " ".join(value.split()) if isinstance(value, str) else ""
