"""Texts that are held to a form: they have it, whatever the model would rather say, and harm nobody beside them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import regex
import torch
from llguidance import LLMatcher

from prompt4trust.models import Sampling
from services.common.engine.constraints.grammars import LONGEST_GRAMMAR, LONGEST_JSON, GrammarCompiler
from services.common.engine.errors import InvalidRequestError
from services.common.engine.interface import Constraint, GenerationRequest, GenerationResult
from services.common.engine.model.adapter import TransformersAdapter
from services.common.engine.transformers_engine import EngineOptions, TransformersEngine

VERDICT = r"the answer is [A-D] with confidence (100|[1-9]?[0-9])"
REPORT = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "enum": ["A", "B", "C", "D"]},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
        "findings": {"type": "array", "items": {"enum": ["mass", "none"]}, "maxItems": 2},
    },
    "required": ["answer", "confidence", "findings"],
    "additionalProperties": False,
}


@pytest.fixture
async def engine(text_adapter: TransformersAdapter) -> AsyncIterator[TransformersEngine]:
    text_adapter.reset()
    async with TransformersEngine(text_adapter, EngineOptions(max_waiting=500)) as made:
        yield made


def held_to(kind: Any, source: Any, **changes: Any) -> GenerationRequest:
    text = source if isinstance(source, str) else json.dumps(source)
    sampling = {"temperature": 1.0, "max_tokens": 300, "seed": 3} | changes.pop("sampling", {})
    return GenerationRequest(
        [{"role": "user", "content": "say something"}],
        Sampling(**sampling),
        constraint=Constraint(kind, text, changes.pop("whitespace", None)),
        **changes,
    )


def free(seed: int) -> GenerationRequest:
    sampling = Sampling(temperature=1.0, max_tokens=20, seed=seed)
    return GenerationRequest([{"role": "user", "content": "say something"}], sampling)


def is_report(text: str) -> bool:
    jsonschema.validate(json.loads(text), REPORT)
    return True


FORMS: list[tuple[str, Any, Callable[[str], Any]]] = [
    ("regex", VERDICT, re.compile(VERDICT).fullmatch),
    (
        "choice",
        ["yes", "no", 'yes, but "quoted"\n', "Größe µ"],
        ["yes", "no", 'yes, but "quoted"\n', "Größe µ"].__contains__,
    ),
    ("json", REPORT, is_report),
    ("grammar", 'start: "(" start ")" | "x"', re.compile(r"(\()*x(\))*").fullmatch),
]


@pytest.mark.parametrize(("kind", "source", "has_form"), FORMS, ids=[form[0] for form in FORMS])
async def test_every_text_has_the_form(
    engine: TransformersEngine, kind: str, source: Any, has_form: Callable[[str], Any]
) -> None:
    for sampling in ({"temperature": 1.0}, {"temperature": 2.0, "top_p": 0.9, "top_k": 7}, {"temperature": 0.0}):
        found = await engine.complete(held_to(kind, source, n=6, whitespace="", sampling=sampling))
        ended = [sample for sample in found.samples if sample.finish_reason == "stop"]
        assert ended
        assert all(has_form(sample.text) for sample in ended)
        assert all(sample.completion_tokens == 300 for sample in found.samples if sample not in ended)


def texts(result: GenerationResult) -> list[str]:
    return [sample.text for sample in result.samples]


async def test_held_and_free_texts_are_the_same_alone_and_together(text_adapter: TransformersAdapter) -> None:
    """Near ties among them, which are settled under the same grammar."""
    text_adapter.reset()
    async with TransformersEngine(text_adapter, EngineOptions(max_waiting=500, tie_tolerance=0.3)) as engine:
        wanted = [held_to(form[0], form[1], n=2, sampling={"seed": seed}) for seed in range(4) for form in FORMS]
        wanted += [free(seed) for seed in range(8)]
        alone = [texts(await engine.complete(each)) for each in wanted]
        assert engine.stats.near_ties > 20
        together = await asyncio.gather(*(engine.complete(each) for each in wanted))
        assert [texts(each) for each in together] == alone


async def test_log_probabilities_are_those_among_allowed_tokens(
    engine: TransformersEngine, text_adapter: TransformersAdapter
) -> None:
    """The allowed ones are found anew: by partial matches of the regular expression, each token tried.

    (Where but one text can follow, llguidance allows but one way to put it into tokens, the tokenizer's own.)
    """
    form = r"([a-z ]{2,4}[A-D]){3}|[0-9]+"
    wanted = held_to("regex", form, logprobs=3, sampling={"seed": 8})
    sample = (await engine.complete(wanted)).samples[0]
    assert re.fullmatch(form, sample.text)
    prompt = text_adapter.prompts.build(wanted.messages, ())
    pieces = [text_adapter.vocabulary.piece(token)[1].decode("utf-8", "replace") for token in range(text_adapter.width)]
    tokens: list[int] = []
    text = ""
    for entry in sample.logprobs:
        allowed = [
            bool(piece) and "�" not in piece and bool(regex.fullmatch(form, text + piece, partial=True))
            for piece in pieces
        ]
        with torch.inference_mode():
            logits = text_adapter.recompute(prompt, tokens)[0]
        if re.fullmatch(form, text):
            allowed[next(iter(text_adapter.eos))] = True
        logs = torch.log_softmax(logits.masked_fill(~torch.tensor(allowed), -torch.inf), -1)
        token = pieces.index(entry.text)
        assert entry.logprob == pytest.approx(float(logs[token]), abs=1e-4)
        best = torch.topk(logs, 3).values.tolist()
        assert [max(other.logprob, -9999.0) for other in entry.top] == pytest.approx(
            [max(value, -9999.0) for value in best], abs=1e-4
        )
        tokens.append(token)
        text += entry.text
    assert text == sample.text


async def test_a_form_and_a_stop_string_and_a_longest_length(engine: TransformersEngine) -> None:
    whole = (await engine.complete(held_to("regex", VERDICT))).samples[0]
    stopped = (await engine.complete(held_to("regex", VERDICT, stop=(" with",)))).samples[0]
    assert stopped.text == whole.text.partition(" with")[0]
    assert stopped.finish_reason == "stop"
    cut = (await engine.complete(held_to("regex", VERDICT, sampling={"max_tokens": 5}))).samples[0]
    assert (cut.finish_reason, cut.completion_tokens) == ("length", 5)
    assert whole.text.startswith(cut.text)
    # The last token that the form needs is also the last that is allowed: it is done, not cut.
    exact = held_to("choice", ["abc"], sampling={"max_tokens": 3})
    assert (await engine.complete(exact)).samples[0].finish_reason == "stop"


async def test_a_stream_of_a_held_text_is_that_text_in_pieces(engine: TransformersEngine) -> None:
    wanted = held_to("json", REPORT, n=3)
    whole = texts(await engine.complete(wanted))
    pieces = [""] * 3
    async for delta in await engine.submit(wanted):
        pieces[delta.index] += delta.text
    assert pieces == whole


async def test_whitespace_between_parts_is_bounded_and_can_be_forbidden(engine: TransformersEngine) -> None:
    listed = {"type": "array", "items": {"const": 1}, "minItems": 3, "maxItems": 3}
    for whitespace, form in (
        (None, r"\[\s{0,24}1\s{0,24}(,\s{0,24}1\s{0,24}){2}\]"),
        ("", r"\[1,1,1\]"),
        ("_", r"\[_?1_?(,_?1_?){2}\]"),
    ):
        found = await engine.complete(held_to("json", listed, n=4, whitespace=whitespace, sampling={"max_tokens": 450}))
        assert all(re.fullmatch(form, text) for text in texts(found))


REFUSED: list[tuple[str, Any, str]] = [
    ("json", {"type": "nonsense"}, "Invalid type"),
    ("json", "{nonsense", "schema"),
    ("json", False, "an object is needed"),
    ("json", {"type": "integer", "minimum": 5, "maximum": 2}, "Unsatisfiable"),
    ("json", {"type": "object", "unevaluatedProperties": False}, "unevaluatedProperties"),
    ("json", {"$ref": "http://127.0.0.1:1/schema.json"}, "does not fetch"),
    ("json", {"$ref": "file:///etc/passwd"}, "does not fetch"),
    ("json", '{"type":"array","items":' * 150 + "{}" + "}" * 150, "recursion"),
    ("json", {"enum": ["x" * LONGEST_JSON]}, "at most"),
    ("json", {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "schema"),
    ("regex", "(a", "unclosed"),
    ("regex", "(?=a)b", "look-around"),
    ("regex", "(" * 5000 + "a" + ")" * 5000, "nest"),
    ("regex", "a" * (LONGEST_GRAMMAR + 1), "at most"),
    ("grammar", "start: missing", "missing"),
    ("grammar", "start: start", "grammar"),
    ("grammar", "start: " + "(" * 900 + '"a"' + ")" * 900, "nested"),
]


@pytest.mark.parametrize(("kind", "source", "reason"), REFUSED, ids=range(len(REFUSED)))
async def test_a_form_that_cannot_be_had_is_refused_by_name_and_reason(
    engine: TransformersEngine, kind: str, source: Any, reason: str
) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(reason)) as caught:
        await engine.complete(held_to(kind, source))
    assert caught.value.param == "response_format"
    assert len(str(caught.value)) < 700
    assert engine.stats.prompt_tokens == 0


# As large as is taken, and made to be expensive: rules that refer to one another in a chain as deep as can be,
# ambiguity, states by the thousand, wide objects.
HARD: list[tuple[str, Any]] = [
    ("grammar", "start: r0\n" + "\n".join(f'r{i}: r{i + 1} r{i + 1} | "a"' for i in range(600)) + '\nr600: "b"'),
    ("grammar", "start: A0\n" + "\n".join(f'A{i}: A{i + 1} "a" A{i + 1} | "a"' for i in range(550)) + '\nA550: "b"'),
    ("grammar", 'start: e\ne: e e | e e e | "a" | "(" e ")"'),
    (
        "json",
        {
            "$ref": "#/$defs/a0",
            "$defs": {
                **{f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}, {"type": "string"}]} for i in range(950)},
                "a950": {},
            },
        },
    ),
    ("json", {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(1500)}}),
    ("regex", "(a|b)*a(a|b){25}c"),
    ("regex", "((a{1,1000}){1,1000}){1,1000}"),
    ("json", {"type": "string", "pattern": "^(.*x.*y){30}$"}),
]


@pytest.mark.parametrize(("kind", "source"), HARD, ids=range(len(HARD)))
async def test_a_hard_form_harms_nobody(engine: TransformersEngine, kind: str, source: Any) -> None:
    """It is refused, or fails while it runs, or is followed; the others' texts are what they are without it."""
    alone = [texts(await engine.complete(free(seed))) for seed in range(3)]
    hard = asyncio.ensure_future(engine.complete(held_to(kind, source, n=2, sampling={"max_tokens": 40})))
    beside = await asyncio.gather(*(engine.complete(free(seed)) for seed in range(3)))
    assert [texts(each) for each in beside] == alone
    with suppress(InvalidRequestError):
        await hard
    assert engine.healthy
    assert [texts(await engine.complete(free(seed))) for seed in range(3)] == alone


async def test_a_text_whose_grammar_fails_midway_takes_its_own_request_along_and_no_other(
    engine: TransformersEngine, text_adapter: TransformersAdapter
) -> None:
    """An object of so many optional members that each place has more alternatives than are followed."""
    members = {f"p{i}": {"type": "string"} for i in range(1200)}
    wide = {"type": "object", "properties": members, "additionalProperties": False}
    running = [asyncio.ensure_future(engine.complete(free(seed))) for seed in range(3)]
    with pytest.raises(InvalidRequestError, match="cannot be held to what 'response_format' says"):
        await engine.complete(held_to("json", wide, n=3))
    assert all([texts(await each) for each in running])


async def test_a_compiled_form_is_kept(text_adapter: TransformersAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Constraint] = []
    real = GrammarCompiler._matcher

    def noted(self: GrammarCompiler, form: Constraint) -> LLMatcher:
        compiled.append(form)
        return real(self, form)

    monkeypatch.setattr(GrammarCompiler, "_matcher", noted)
    compiler = GrammarCompiler.of_tokenizer(text_adapter.prompts._tokenizer, text_adapter.width, text_adapter.eos)
    for source in ("a", "a", "b", "a"):
        compiler.compile(Constraint("regex", source))
    compiler.compile(Constraint("choice", '["a"]', param="structured_outputs"))
    assert [form.source for form in compiled] == ["a", "b", '["a"]']


async def test_forms_are_compiled_beside_the_event_loop(engine: TransformersEngine) -> None:
    """While one that takes long is compiled, others' requests are answered."""
    chain = "start: A0\n" + "\n".join(f'A{i}: A{i + 1} "a" A{i + 1} | "a"' for i in range(550)) + '\nA550: "b"'
    slow = asyncio.ensure_future(engine.complete(held_to("grammar", chain, sampling={"max_tokens": 2})))
    assert texts(await engine.complete(replace(free(1), n=2)))
    await asyncio.gather(slow, return_exceptions=True)
