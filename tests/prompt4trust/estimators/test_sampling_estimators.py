"""Agreement, weighed agreement and entropy: exact values, invalid samples, seeds, costs."""

from __future__ import annotations

from math import log

import pytest

from prompt4trust.estimators import (
    AvgConf,
    AvgConfAll,
    CgpConsistency,
    Consistency,
    Entropy,
    EntropySpread,
    Estimator,
    get_estimator,
)
from prompt4trust.estimators._samples import Draws, derived_seed
from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.models import Cost, Sampling, TransportError
from prompt4trust.prompts import answer_messages
from prompt4trust.verdict import Invalid, Verdict
from tests.prompt4trust.estimators.scripts import IMAGE, OPTIONS, TEMPLATE, Texts, said
from tests.support.models import ScriptedPolicy

GREEDY = Sampling(max_tokens=77)
MUTE = "I would rather not say."


async def test_consistency_is_the_share_of_the_others_that_agree_with_the_first() -> None:
    texts = [said("B", 95), *[said("B", 50)] * 13, *[said("A", 99)] * 5, MUTE, said("C", 10)]
    downstream = Texts(texts)
    answer = await get_estimator("consistency", downstream, None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Verdict("B", 13 / 20)
    assert answer.text == texts[0]
    assert answer.guidance is None
    assert answer.cost == Cost(21, 10, 105, 0.5)
    assert answer.signals["agreement"] == 13 / 20
    assert answer.signals["invalid_share"] == pytest.approx(1 / 21)
    assert answer.signals["mean_stated"] == pytest.approx((0.95 + 13 * 0.5 + 5 * 0.99 + 0.1) / 20)
    assert answer.signals["stated"] == 0.95
    # The invalid sample is an equal part of a vote for each option.
    votes = {**dict.fromkeys(OPTIONS, 0), "A": 5, "B": 14, "C": 1}
    shares = {letter: (count + 1 / len(OPTIONS)) / 21 for letter, count in votes.items()}
    assert option_probabilities(answer.signals) == pytest.approx(shares)
    [(messages, sampling, n)] = downstream.requests
    assert messages == answer_messages(TEMPLATE, "Shape?", OPTIONS, image_url=IMAGE)
    assert n == 21
    assert sampling == Sampling(0.5, 0.95, 100, 77, derived_seed(0, "Shape?", OPTIONS, IMAGE, 0))


@pytest.mark.parametrize("name", ["consistency", "avg-conf", "avg-conf-all"])
async def test_an_invalid_first_sample_makes_the_answer_invalid(name: str) -> None:
    downstream = Texts([MUTE, *[said("B", 90)] * 20])
    answer = await get_estimator(name, downstream, None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Invalid("no_answer")
    assert answer.text == MUTE
    assert answer.signals["agreement"] == 0
    assert "stated" not in answer.signals


WEIGHED = [said("A", 80), said("A", 60), said("B", 90), said("C", 70)]


async def confidence(kind: type[AvgConf | AvgConfAll | Entropy], texts: list[str]) -> float:
    answer = await kind(Texts(texts), TEMPLATE, GREEDY, Draws(len(texts))).answer("Shape?", OPTIONS, None)
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.answer == "A"
    return answer.verdict.confidence


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (WEIGHED, 0.6 / 2.2),
        ([*WEIGHED, MUTE, MUTE], 0.6 / 2.2),
        ([said("A", 10), said("A", 60), said("B", 90), said("C", 70)], 0.6 / 2.2),
        ([said("A", 80), said("B", 90)], 0.0),
        ([said("A", 80), MUTE, MUTE], 0.0),
        ([said("A", 0)] * 3, 0.0),
        ([said("A", 90), said("A", 10), MUTE], 1.0),
    ],
    ids=["others", "invalid", "first", "alone", "no others", "nought", "few decide"],
)
async def test_avg_conf_weighs_the_other_valid_samples_by_what_they_state(texts: list[str], expected: float) -> None:
    assert await confidence(AvgConf, texts) == pytest.approx(expected)


async def test_avg_conf_all_weighs_the_first_and_the_invalid_samples_too() -> None:
    assert await confidence(AvgConfAll, WEIGHED) == pytest.approx(1.4 / 3.0)
    # An invalid sample weighs what the valid ones do on average: 1.4 / (3.0 + 0.75).
    assert await confidence(AvgConfAll, [*WEIGHED, MUTE]) == pytest.approx(1.4 / 3.75)
    assert await confidence(AvgConfAll, [said("A", 0)] * 3) == 0.0


async def test_entropy_over_the_options() -> None:
    # Twenty A, ten B, ten C and no D: entropy 1.5 ln 2 of at most 2 ln 2.
    texts = [*[said("B", 1)] * 10, *[said("A", 1)] * 20, *[said("C", 1)] * 10]
    downstream = Texts(texts)
    answer = await get_estimator("entropy", downstream, None, TEMPLATE, GREEDY).answer("Shape?", OPTIONS, IMAGE)
    assert isinstance(answer.verdict, Verdict)
    assert answer.verdict.answer == "A"
    assert answer.verdict.confidence == pytest.approx(0.25)
    assert answer.text == said("A", 1)
    assert answer.signals["vote_share"] == 0.5
    assert answer.signals["agreement"] == pytest.approx(9 / 39)
    assert [n for _, _, n in downstream.requests] == [21, 19]
    assert answer.cost == Cost(40, 20, 200, 1.0)
    assert {(each.temperature, each.top_p, each.top_k) for _, each, _ in downstream.requests} == {(0.1, 0.95, 50)}
    first, second = (sampling.seed for _, sampling, _ in downstream.requests)
    assert first == derived_seed(0, "Shape?", OPTIONS, IMAGE, 0)
    assert second == derived_seed(0, "Shape?", OPTIONS, IMAGE, 1) != first


@pytest.mark.parametrize("kind", [Entropy, EntropySpread])
@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        ([said("C", 1)] * 4, Verdict("C", 1.0)),
        ([said(letter, 1) for letter in "DBCA"], Verdict("D", 0.0)),
        ([MUTE, "", MUTE, MUTE], Invalid("no_answer")),
    ],
    ids=["all the same", "evenly spread", "none valid"],
)
async def test_the_ends_of_entropy(texts: list[str], verdict: Verdict | Invalid, kind: type[Entropy]) -> None:
    answer = await kind(Texts(texts), TEMPLATE, GREEDY, Draws(4)).answer("Shape?", OPTIONS, None)
    if isinstance(verdict, Invalid):
        assert answer.verdict == verdict
    else:
        assert isinstance(answer.verdict, Verdict)
        assert answer.verdict.answer == verdict.answer
        assert answer.verdict.confidence == pytest.approx(verdict.confidence, abs=1e-12)


async def test_entropy_leaves_invalid_samples_out_and_its_variant_spreads_them() -> None:
    texts, options = [said("A", 1), MUTE], {"A": "x", "B": "y"}
    found = {}
    for kind in (Entropy, EntropySpread):
        answer = await kind(Texts(texts), TEMPLATE, GREEDY, Draws(2)).answer("Shape?", options, None)
        assert isinstance(answer.verdict, Verdict)
        assert answer.signals["vote_share"] == 0.5
        found[answer.estimator] = answer.verdict.confidence
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25)) / log(2)
    assert found == {"entropy": 1.0, "entropy-spread": pytest.approx(1 - entropy)}


async def test_the_variant_of_entropy_samples_as_consistency_does() -> None:
    downstream = Texts([said("A", 1)] * 40)
    estimator: Estimator = get_estimator("entropy-spread", downstream, None, TEMPLATE, GREEDY)
    assert (await estimator.answer("Shape?", OPTIONS, IMAGE)).estimator == "entropy-spread"
    assert {(each.temperature, each.top_p, each.top_k) for _, each, _ in downstream.requests} == {(0.5, 0.95, 100)}


async def test_open_questions() -> None:
    texts = [f"The answer is {text} with confidence 70." for text in ("Left  Lung", "left lung", "right lung")]
    answer = await Consistency(Texts(texts), TEMPLATE, GREEDY, Draws(3)).answer("Where?", {}, IMAGE)
    assert answer.verdict == Verdict("Left  Lung", 0.5)
    assert "entropy" not in answer.signals
    downstream = Texts(texts)
    answer = await get_estimator("entropy", downstream, None, TEMPLATE, GREEDY).answer("Where?", {}, IMAGE)
    assert answer.verdict == Invalid("no_options")
    assert downstream.requests == []
    assert answer.cost == Cost()


async def test_cgp_and_consistency_ask_the_policy_once_and_the_model_with_its_guidance() -> None:
    downstream, policy = Texts([said("A", 60), said("A", 50), said("B", 40)]), ScriptedPolicy()
    answer = await CgpConsistency(downstream, policy, TEMPLATE, GREEDY, Draws(3)).answer("Shape?", OPTIONS, IMAGE)
    assert answer.verdict == Verdict("A", 0.5)
    assert answer.signals["mean_stated"] == pytest.approx(0.5)
    assert answer.guidance is not None
    assert answer.guidance.version == "policy-1"
    assert answer.cost == Cost(4, 17, 18, 0.75)
    assert policy.asked == [("Shape?", OPTIONS, None)]
    [(messages, _, _)] = downstream.requests
    hint = "Weigh the edges in: Shape?"
    assert messages == answer_messages(TEMPLATE, "Shape?", OPTIONS, image_url=IMAGE, guidance=hint)


def test_seeds_follow_from_run_question_options_picture_and_part() -> None:
    seeds = [
        derived_seed(0, "Q?", OPTIONS, IMAGE, 0),
        derived_seed(1, "Q?", OPTIONS, IMAGE, 0),
        derived_seed(0, "R?", OPTIONS, IMAGE, 0),
        derived_seed(0, "Q?", {"A": "Round", "B": "Oval"}, IMAGE, 0),
        derived_seed(0, "Q?", OPTIONS, None, 0),
        derived_seed(0, "Q?", OPTIONS, IMAGE, 1),
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert derived_seed(0, "Q?", dict(OPTIONS), IMAGE, 0) == seeds[0]


async def test_the_run_seed_comes_with_the_sampling() -> None:
    downstream = Texts([said("A", 60)] * 21)
    estimator = get_estimator("consistency", downstream, None, TEMPLATE, Sampling(seed=9))
    await estimator.answer("Q?", OPTIONS, IMAGE)
    assert downstream.requests[0][1].seed == derived_seed(9, "Q?", OPTIONS, IMAGE, 0)


async def test_too_few_completions_are_a_transport_failure() -> None:
    with pytest.raises(TransportError, match="3 completions instead of 21"):
        await get_estimator("consistency", Texts(["x"] * 3), None, TEMPLATE, GREEDY).answer("Q?", OPTIONS, None)


@pytest.mark.parametrize("draws", [{"count": 1}, {"temperature": 0.0}])
def test_samples_that_could_not_differ_are_refused(draws: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Draws(**draws)  # type: ignore[arg-type]
