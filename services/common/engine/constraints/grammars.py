"""Grammars that texts are held to, by llguidance, one of the two libraries by which vLLM does so.

What a client sends is compiled in a thread of its own, off the event loop and away from other requests' preparation.
Sources are bounded in size, and llguidance bounds the work; the rest is the thread's stack: llguidance descends into
rules that refer to one another, some kilobytes each, and a stack that ran out would end the process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import llguidance
import llguidance.hf
import structlog
from cachetools import LRUCache
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from transformers import PreTrainedTokenizerBase

from services.common.engine.constraints.grammar_state import GrammarState
from services.common.engine.errors import InvalidRequestError
from services.common.engine.interface import Constraint

_log = structlog.get_logger(__name__)

LONGEST_JSON = 64_000
"""Most characters of a JSON schema or of a list of choices."""
LONGEST_GRAMMAR = 16_000
"""Most characters of a regular expression or of a grammar."""
_STACK_BYTES = 64 << 20  # of address space; memory is taken where it is used
_KEPT = 32
_LONGEST_REASON = 300
_WHITESPACE = r"[\x20\x0A\x0D\x09]{1,24}"
"""Whitespace between the parts of a JSON document: enough to indent five levels by four, and not so much that a model
that is at a loss could write nothing else."""
_LIMITS = LLParserLimits(step_lexer_fuel=100_000, step_max_items=20_000, max_lexer_states=20_000, verbose_errors=False)
"""Of one step about 8 ms (llguidance does some 14 000 units of the first and 20 000 of the second a millisecond), and
of a text about 40 MB."""


def compiling_thread() -> ThreadPoolExecutor:
    """Start the thread that compiles."""
    made = ThreadPoolExecutor(1, thread_name_prefix="engine-grammar")
    before = threading.stack_size(_STACK_BYTES)
    try:
        made.submit(int).result()  # the thread begins with its first task
    finally:
        threading.stack_size(before)
    return made


class Grammar:
    """A compiled form.

    Args:
        matcher: At the beginning of a text.
        words: How many tokens it knows.
        param: Parameter that the form came by.
    """

    def __init__(self, matcher: LLMatcher, words: int, param: str) -> None:
        self._matcher = matcher
        self._words = words
        self._param = param

    def begin(self) -> GrammarState:
        """Begin a text."""
        return GrammarState(self._matcher.deep_copy(), self._words)

    def holds(self, text: str) -> bool:
        """Whether a whole text has the form; only of a compiler whose tokens are bytes."""
        matcher, units = self._matcher.deep_copy(), list(text.encode())
        return matcher.try_consume_tokens(units) == len(units) and matcher.is_accepting()

    def failure(self, trouble: str) -> InvalidRequestError:
        """Make the error for a text that cannot go on, and why."""
        message = f"A text cannot be held to what '{self._param}' says: {trouble}."
        return InvalidRequestError(message, param=self._param, code="invalid_value")


class GrammarCompiler:
    """Compiles forms for one model, in a thread of `compiling_thread` and in no other.

    Args:
        tokens: Makes the tokens that texts consist of; called when they are first needed.
    """

    def __init__(self, tokens: Callable[[], LLTokenizer]) -> None:
        self._tokens = tokens
        self._kept: LRUCache[Constraint, LLMatcher] = LRUCache(_KEPT)

    @classmethod
    def of_tokenizer(cls, tokenizer: PreTrainedTokenizerBase, width: int, ends: frozenset[int]) -> GrammarCompiler:
        """Compile for a language model.

        Args:
            tokenizer: The model's.
            width: How many logits the model gives.
            ends: The tokens that end a text.
        """

        def tokens() -> LLTokenizer:
            # For a vocabulary of 150 000 tokens it takes a second.
            most = max(width, len(tokenizer))
            return llguidance.hf.from_tokenizer(tokenizer, most, eos_token=sorted(ends))  # type: ignore[arg-type]

        return cls(tokens)

    @classmethod
    def of_bytes(cls) -> GrammarCompiler:
        """Compile for texts that are there as a whole: their tokens are bytes."""
        return cls(lambda: LLTokenizer("byte"))

    def compile(self, constraint: Constraint) -> Grammar:
        """Compile a form; one that was compiled lately is not compiled again.

        Raises:
            InvalidRequestError: If it is malformed, too long or too complex, or no text has it.
        """
        matcher = self._kept.get(constraint)
        if matcher is None:
            matcher = self._kept[constraint] = self._matcher(constraint)
        return Grammar(matcher, self._vocabulary.vocab_size, constraint.param)

    def _matcher(self, constraint: Constraint) -> LLMatcher:
        longest = LONGEST_JSON if constraint.kind in ("json", "choice") else LONGEST_GRAMMAR
        if len(constraint.source) > longest:
            raise _refusal(constraint, f"at most {longest} characters are taken")
        if constraint.kind == "json" and not constraint.source.lstrip().startswith("{"):
            raise _refusal(constraint, "an object is needed")
        try:
            source = _in_llguidances_terms(constraint)
        except ValueError as error:
            raise _refusal(constraint, str(error)) from None
        matcher = LLMatcher(self._words(constraint), source, log_level=0, limits=_LIMITS)
        # What is wrong with some grammars shows when they are first used.
        if not matcher.is_error():
            trial = matcher.deep_copy()
            trial.compute_bitmask()
            if trial.is_error():
                matcher = trial
        if matcher.is_error():
            raise _refusal(constraint, matcher.get_error())
        return matcher

    def _words(self, constraint: Constraint) -> LLTokenizer:
        try:
            return self._vocabulary
        except Exception as error:
            _log.warning("no text can be held to a form with this tokenizer", exc_info=error)
            message = "This model cannot hold a text to a form: its tokenizer is of an unknown kind."
            raise InvalidRequestError(message, param=constraint.param, code="unsupported_value") from None

    @cached_property
    def _vocabulary(self) -> LLTokenizer:
        return self._tokens()


def _in_llguidances_terms(constraint: Constraint) -> str:
    if constraint.kind == "regex":
        return LLMatcher.grammar_from_regex(constraint.source)
    if constraint.kind == "grammar":
        return LLMatcher.grammar_from_lark(constraint.source)
    if constraint.kind == "choice":
        return LLMatcher.grammar_from_lark(f"start: {' | '.join(map(json.dumps, json.loads(constraint.source)))}")
    between = _WHITESPACE if constraint.whitespace is None else constraint.whitespace
    if not between:
        return LLMatcher.grammar_from_json_schema(constraint.source, overrides={"whitespace_flexible": False})
    return LLMatcher.grammar_from_json_schema(constraint.source, overrides={"whitespace_pattern": between})


def _refusal(constraint: Constraint, reason: str) -> InvalidRequestError:
    languages = {"json": "schema", "regex": "regular expression", "choice": "list of choices", "grammar": "grammar"}
    message = f"Invalid {languages[constraint.kind]} in '{constraint.param}': {_gist(reason)}."
    return InvalidRequestError(message, param=constraint.param, code="invalid_value")


def _gist(reason: str) -> str:
    """Shorten what llguidance says: it quotes the source, before the error of a regular expression and after others."""
    lines = reason.replace("<non-verbose/>", "").strip().splitlines() or ["it cannot be followed"]
    error = next((line.removeprefix("error:") for line in lines if line.startswith("error:")), lines[0])
    return error.strip().rstrip(".")[:_LONGEST_REASON]
