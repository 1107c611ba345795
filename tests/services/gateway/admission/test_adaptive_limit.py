"""The limit finds how many questions at once the models make use of, by the rate of answers alone."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from services.gateway.admission.adaptive_limit import AdaptiveLimit


class Loop:
    """A model that is always asked as many questions as the limit lets in: a closed loop, without a clock."""

    def __init__(self, limit: AdaptiveLimit, slots: int, seconds: Callable[[int], float], seed: int = 0) -> None:
        self.limit, self.slots, self.seconds = limit, slots, seconds
        self.now = 0.0
        self.answers: list[float] = []
        self.limits: list[tuple[float, int]] = []
        self._random = random.Random(seed)
        self._line: list[tuple[float, int]] = []
        self._inside: list[tuple[float, float, int]] = []

    def run(self, until: float) -> None:
        while self.now < until:
            while len(self._line) + len(self._inside) < self.limit.now:
                self._line.append((self.now, self.limit.measurement))
            while self._line and len(self._inside) < self.slots:
                began, measurement = self._line.pop(0)
                takes = self.seconds(len(self._inside) + 1) * self._random.lognormvariate(-0.045, 0.3)
                heapq.heappush(self._inside, (self.now + takes, began, measurement))
            in_flight = len(self._line) + len(self._inside)
            self.now, began, measurement = heapq.heappop(self._inside)
            self.answers.append(self.now)
            if measurement == self.limit.measurement and in_flight >= self.limit.now:
                self.limit.ended("answered", self.now - began)
            self.limits.append((self.now, self.limit.now))

    def rate(self, since: float) -> float:
        return sum(each >= since for each in self.answers) / (self.now - since)

    def mean_limit(self, since: float) -> float:
        seen = [limit for at, limit in self.limits if at >= since]
        return sum(seen) / len(seen)


@pytest.mark.parametrize("start", [2, 16, 64])
@pytest.mark.parametrize("seconds", [0.05, 5.0])
def test_it_finds_the_slots_of_a_model_fast_or_slow(start: int, seconds: float) -> None:
    loop = Loop(AdaptiveLimit(64, start=start), 8, lambda _inside: seconds)
    loop.run(300 * seconds)
    best = 8 / seconds
    assert loop.rate(100 * seconds) > 0.93 * best
    assert 8 <= loop.mean_limit(100 * seconds) < 24


def test_it_lets_a_batching_model_have_its_batch() -> None:
    # Twice as long for 16 at once as for one: a limit on time would stop long before the best rate.
    loop = Loop(AdaptiveLimit(96, start=8), 64, lambda inside: 0.1 * (1 + inside / 16))
    loop.run(60)
    assert loop.rate(30) > 0.9 * 64 / (0.1 * (1 + 64 / 16))
    assert loop.mean_limit(30) > 45


def test_it_follows_a_model_that_does_more_or_less_than_before() -> None:
    loop = Loop(AdaptiveLimit(64, start=16), 8, lambda _inside: 0.2)
    loop.run(30)
    loop.slots = 32
    loop.run(90)
    assert loop.rate(60) > 0.9 * 32 / 0.2
    loop.slots = 4
    loop.run(150)
    assert loop.rate(120) > 0.9 * 4 / 0.2
    assert loop.mean_limit(120) < 16


def test_a_server_that_refuses_is_asked_for_less_and_after_a_while_for_more() -> None:
    limit = AdaptiveLimit(64, start=16)

    def answers(count: int) -> None:
        for _ in range(count):
            limit.ended("answered", limit.now / 40)  # ever the same rate: fewer would do

    limit.ended("refused", 0.1)
    assert limit.now == 11
    limit.ended("refused", 0.1)
    assert limit.now == 8
    seen = []
    for _ in range(200):
        answers(8)
        seen.append(limit.now)
    assert max(seen[:10]) <= 8


def test_what_is_none_of_the_loads_fault_changes_nothing() -> None:
    limit = AdaptiveLimit(64, start=16)
    for _ in range(1000):
        limit.ended("failed", 0.001)
    assert (limit.now, limit.measurement) == (16, 1)


def test_time_for_answers_that_nobody_waited_for_is_no_gain() -> None:
    limit = AdaptiveLimit(64, start=32)
    for _ in range(2000):
        # Of more than 16 at once most come too late; up to there more at once bring more.
        in_time = limit.now <= 16
        limit.ended("answered" if in_time else "late", 1.0)
    limits = []
    for _ in range(2000):
        limit.ended("answered" if limit.now <= 16 else "late", 1.0)
        limits.append(limit.now)
    assert sum(each <= 16 for each in limits) > 0.8 * len(limits)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 64, 96, 100])
def test_limits_go_up_to_the_most_and_no_further(most: int) -> None:
    limit = AdaptiveLimit(most, start=1)
    seen = [limit.now]
    for _ in range(3000):
        limit.ended("answered", 1.0)  # as long for many as for one
        seen.append(limit.now)
    assert (min(seen), max(seen)) == (1, most)
    assert seen[-1] == most
    assert all(after <= 2 * before for before, after in pairwise(seen))
