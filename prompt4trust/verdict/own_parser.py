"""A parser of the user's own in place of the built-in one: a function that reads a verdict from a reply.

It is named as ``module:function`` behind the answer template (``answer-standard@1+ward.replies:read``). The name, and
the function's attribute ``version`` if it has one, are part of the template's id, so that calibrators and guards belong
to the parser that their confidences were read by.

A function with a version:

    def read(reply, options, asked):
        found = PATTERN.search(reply)
        return None if found is None else Verdict(found["letter"], int(found["sure"]) / 100)

    read.version = "2"
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from prompt4trust.verdict.confidences import Scale
from prompt4trust.verdict.outcome import Invalid, Verdict
from prompt4trust.verdict.words.expressions import expression

_NAME = expression(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)(?:@(?P<version>[\w.-]+))?")
_VERSION = expression(r"[\w.-]{1,40}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """Facts about a reply's question, beside its options.

    Attributes:
        question: The question's text.
        scale: What the template asks the confidence to be: "per-cent", or a "probability".
        finish_reason: The server's word for why the text ended: "stop", "length", ...
    """

    question: str = ""
    scale: Scale = "per-cent"
    finish_reason: str = "stop"


Parse = Callable[[str, Mapping[str, str], Asked], Verdict | Invalid | None]
"""A parser: the reply's text, the options as letter -> text (empty for an open question) and what else is known ->
the verdict with its confidence in [0, 1], or why there is none; None for a reply that states no answer."""


@dataclass(frozen=True, slots=True)
class OwnParser:
    """A user's parser, and the bounds within which its results are taken.

    Attributes:
        name: "module:function", with "@version" where the function has one.
        parse: The function. It runs where the built-in parser runs, on the event loop, so it must be quick; how long
            it takes is bounded by nobody else.
    """

    name: str
    parse: Parse

    def read(self, text: str, options: Mapping[str, str], asked: Asked) -> Verdict | Invalid:
        """Read a reply.

        Returns:
            What the parser says; Invalid("parser_failed") where it raises, or its result is no verdict on this
            question: a letter that is no option, or a confidence that is no number in [0, 1]. That is logged, without
            the text.
        """
        try:
            found: Any = self.parse(text, options, asked)
            if found is None:
                return Invalid("no_answer")
            if isinstance(found, Invalid):
                return found
            return _checked(found, options)
        except Exception as error:  # a stranger's code: whatever it raises, there is no verdict
            _log.warning("the parser %s failed: %s", self.name, type(error).__name__)
            return Invalid("parser_failed")


def _checked(found: Any, options: Mapping[str, str]) -> Verdict:
    if not isinstance(found, Verdict):
        raise TypeError("a parser returns a Verdict, an Invalid or None")
    answer: Any = found.answer
    confidence: Any = found.confidence
    if not isinstance(answer, str) or not answer.strip() or (options and answer not in options):
        raise ValueError("the answer is none of the options")
    if isinstance(confidence, bool) or not isinstance(confidence, Real):
        raise TypeError("the confidence is no number")
    value = float(confidence)
    if not 0 <= value <= 1:
        raise ValueError("the confidence is not in [0, 1]")
    return Verdict(answer, value)


def split_name(source: str) -> tuple[str, str]:
    """Split a template's name from that of the parser behind it.

    Returns:
        Both; the parser's is "" where there is none.

    Example:
        >>> split_name("answer-standard@1+ward.replies:read")
        ('answer-standard@1', 'ward.replies:read')
        >>> split_name("prompts/a+b.json")
        ('prompts/a+b.json', '')
    """
    template, plus, parser = source.rpartition("+")
    return (template, parser) if plus and _NAME.fullmatch(parser) else (source, "")


def load_parser(name: str) -> OwnParser:
    """Import a parser.

    Args:
        name: "module:function", of a module that can be imported; "@version" behind it must be the function's own.

    Returns:
        The parser, its version in its name.

    Raises:
        ValueError: If there is no such module or function, or its version is no short word or another one.

    Example:
        >>> load_parser("prompt4trust.verdict:parse")
        Traceback (most recent call last):
        ...
        ValueError: parser prompt4trust.verdict:parse: the module has no function of that name
    """
    named = _NAME.fullmatch(name)
    if named is None:
        raise ValueError(f"parser {name!r}: a parser is named as module:function")
    try:
        parse = getattr(importlib.import_module(named["module"]), named["function"], None)
    except Exception as error:  # whatever a stranger's module raises when it is imported
        raise ValueError(f"parser {name}: the module cannot be imported ({type(error).__name__}: {error})") from error
    if not callable(parse):
        raise ValueError(f"parser {name}: the module has no function of that name")
    version = getattr(parse, "version", None)
    if version is not None and not _VERSION.fullmatch(str(version)):
        raise ValueError(f"parser {name}: its version must be a word of at most 40 letters, digits, dots and hyphens")
    if named["version"] is not None and named["version"] != (None if version is None else str(version)):
        raise ValueError(f"parser {name}: its version is {version!r}")
    plain = f"{named['module']}:{named['function']}"
    return OwnParser(plain if version is None else f"{plain}@{version}", parse)
