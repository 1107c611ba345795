"""The measurements: a gateway alone, the embedded stack, and whatever runs somewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.gateway.sizing import figures
from benchmarks.serving.load import Turn, ask_all, one_question, phantom_questions
from benchmarks.serving.processes import Service, running_service
from benchmarks.serving.stand_ins import models_that_reply_at_once, settings_for
from services.common.clients.bearer import bearer

Questions = Callable[[int], Sequence[Mapping[str, Any]]]
"""Which questions a turn asks: its number -> their bodies."""

SERVICES = ("gateway", "policy", "downstream", "trainer")


async def in_turns(
    url: str,
    concurrencies: Sequence[int],
    rounds: int,
    questions: Questions,
    services: Sequence[Service] = (),
    headers: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Ask at several concurrencies, which take turns within each round.

    Args:
        url: The gateway's address.
        concurrencies: How many questions at once.
        rounds: How often; one round more warms up and does not count.
        questions: What is asked.
        services: Whose processor time is counted.
        headers: Of every request.

    Returns:
        Figures of each concurrency, with milliseconds of a core that an answer took of each service.
    """
    turns: dict[int, list[Turn]] = {each: [] for each in concurrencies}
    spent: dict[int, dict[str, list[float]]] = {each: {s.name: [] for s in services} for each in concurrencies}
    number = 0
    for counted in range(-1, rounds):
        for place in range(len(concurrencies)):
            # Turns change places, so that none always runs while the machine is at its best.
            together = concurrencies[(place + counted) % len(concurrencies)]
            asked = questions(number)
            number += 1
            before = [service.cpu_s() for service in services]
            turn = await ask_all(url, asked, together, headers)
            used = [service.cpu_s() - earlier for service, earlier in zip(services, before, strict=True)]
            if counted >= 0:
                turns[together].append(turn)
                for service, seconds in zip(services, used, strict=True):
                    spent[together][service.name].append(1e3 * seconds / max(len(turn.answered), 1))
    return [
        figures(turns[each]) | {"cpu_ms": {name: round(median(ms), 1) for name, ms in spent[each].items()}}
        for each in concurrencies
    ]


async def gateway_alone(folder: Path, port: int, concurrencies: Sequence[int], rounds: int, answers: int) -> Any:
    """Measure one gateway whose models are stand-ins that reply at once, with records in SQLite."""
    settings = settings_for(port, folder, f"sqlite:///{folder}/records.db")
    with (
        models_that_reply_at_once(port),
        running_service("gateway", port + 1, settings, folder, ready="/health/live") as gateway,
    ):
        idle = _memory([gateway])
        asked = await in_turns(gateway.url, concurrencies, rounds, lambda _: one_question(answers), [gateway])
        return {"concurrencies": asked, "rss_mb": {"idle": idle, "loaded": _memory([gateway])}}


async def embedded_stack(folder: Path, port: int, concurrencies: Sequence[int], rounds: int, answers: int) -> Any:
    """Measure the four services with the miniature models, as `trustvqa up` starts them."""
    ports = {name: port + offset for offset, name in enumerate(SERVICES)}
    models = {
        "POLICY_URL": f"http://127.0.0.1:{ports['policy']}",
        "DOWNSTREAM_URL": f"http://127.0.0.1:{ports['downstream']}/v1",
    }
    own = {
        "gateway": {**models, "RECORDS_URL": f"sqlite:///{folder}/records.db"},
        "trainer": {**models, "RUNS": str(folder / "runs")},
    }
    with ExitStack() as stack:
        services = [
            stack.enter_context(
                running_service(name, ports[name], {"REGISTRY": str(folder / "registry"), **own.get(name, {})}, folder)
            )
            for name in ("policy", "downstream", "gateway", "trainer")
        ]
        idle = _memory(services)
        gateway = next(service for service in services if service.name == "gateway")

        def questions(turn: int) -> Sequence[Mapping[str, Any]]:
            return list(phantom_questions(answers, seed=9_000 + turn))

        asked = await in_turns(gateway.url, concurrencies, rounds, questions, services)
        return {"concurrencies": asked, "rss_mb": {"idle": idle, "loaded": _memory(services)}}


async def deployment(url: str, key: str, concurrencies: Sequence[int], rounds: int, answers: int) -> Any:
    """Measure a deployment that runs already; its services' processors are its own affair."""

    def questions(turn: int) -> Sequence[Mapping[str, Any]]:
        return list(phantom_questions(answers, seed=19_000 + turn))

    return {"concurrencies": await in_turns(url, concurrencies, rounds, questions, headers=bearer(key))}


def _memory(services: Iterable[Service]) -> dict[str, float]:
    return {service.name: round(service.rss_mb(), 1) for service in services}
