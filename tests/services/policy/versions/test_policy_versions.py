"""Which versions are in memory, and when they are let go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from prompt4trust.models import Completion, Cost, Generation, Sampling
from prompt4trust.prompts import Message, PromptTemplate
from services.common.registry.directory import Registry
from services.policy.errors import NoActiveVersionError, UnknownVersionError, UnusableVersionError
from services.policy.versions.policy_versions import LoadedPolicy, PolicyVersions

TEMPLATE = PromptTemplate(name="plain", version=1, role="guide", user="{question} {options}")


class Memory:
    """Loads versions and counts what is in memory; a load or a close can be held up or made to fail."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.open: list[str] = []
        self.most_open = 0
        self.broken: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.trouble: dict[str, str] = {}

    async def load(self, version: str, path: Path) -> LoadedPolicy:
        assert path.name == version
        self.loads.append(version)
        if version in self.held:
            await self.held[version].wait()
        if version in self.broken:
            raise UnusableVersionError("it is broken")
        self.open.append(version)
        self.most_open = max(self.most_open, len(self.open))
        return LoadedPolicy(version, TEMPLATE, Writer(self, version), f"test:{version}")


class Writer:
    def __init__(self, memory: Memory, version: str) -> None:
        self._memory = memory
        self._version = version

    async def trouble(self) -> str | None:
        return self._memory.trouble.get(self._version)

    @property
    def alive(self) -> bool:
        return True

    async def generate(self, messages: Sequence[Message], n: int, sampling: Sampling) -> Generation:
        assert self._version in self._memory.open, "a closed policy was asked"
        return Generation([Completion(self._version, "stop")] * n, Cost())

    async def aclose(self) -> None:
        self._memory.open.remove(self._version)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path)
    for name in ("a", "b", "c", "d"):
        (tmp_path / "policies" / name).mkdir(parents=True)
        (tmp_path / "policies" / name / "config.json").write_text("{}")
    registry.activate_policy("a")
    return registry


async def settle() -> None:
    """Let every task that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def following(registry: Registry, idle_versions: int = 1) -> tuple[Memory, PolicyVersions]:
    """Versions that follow the registry, and the memory that they load into."""
    memory = Memory()
    versions = PolicyVersions(registry, memory.load, idle_versions=idle_versions)
    await versions.follow_registry()
    return memory, versions


async def use(versions: PolicyVersions, version: str) -> None:
    async with versions.lease(version):
        pass
    await settle()


async def test_the_version_that_the_registry_names_goes_live(registry: Registry) -> None:
    memory, versions = await following(registry)
    assert versions.active == "a"
    assert await versions.resolve(None) == "a"
    assert await versions.resolve("b") == "b"
    assert memory.open == ["a"]
    await versions.aclose()
    assert memory.open == []


async def test_the_old_version_is_closed_after_its_last_request_and_not_before(registry: Registry) -> None:
    memory, versions = await following(registry, idle_versions=0)
    async with versions.lease("a"):
        async with versions.lease("a"):
            assert await versions.activate("b") == "a"
            await settle()
            assert sorted(memory.open) == ["a", "b"]
        await settle()
        assert sorted(memory.open) == ["a", "b"]
    await settle()
    assert memory.open == ["b"]
    assert registry.active.policy() == "b"


async def test_the_old_version_answers_while_the_new_one_is_loaded(registry: Registry) -> None:
    memory = Memory()
    memory.held["b"] = asyncio.Event()
    versions = PolicyVersions(registry, memory.load)
    await versions.follow_registry()
    activation = asyncio.create_task(versions.activate("b"))
    await settle()
    assert memory.loads == ["a", "b"]
    assert await versions.resolve(None) == "a"
    assert registry.active.policy() == "a"
    memory.held["b"].set()
    assert await activation == "a"
    assert await versions.resolve(None) == "b"


async def test_a_version_is_loaded_once_however_many_ask_for_it(registry: Registry) -> None:
    memory = Memory()
    memory.held["b"] = asyncio.Event()
    versions = PolicyVersions(registry, memory.load)
    askers = [asyncio.create_task(use(versions, "b")) for _ in range(10)]
    await settle()
    askers[0].cancel()
    memory.held["b"].set()
    await asyncio.gather(*askers, return_exceptions=True)
    await use(versions, "b")
    assert memory.loads == ["b"]


async def test_others_in_memory_are_bounded_and_the_least_recently_used_goes_first(registry: Registry) -> None:
    memory, versions = await following(registry, idle_versions=2)
    for version in ("b", "c", "b", "d"):
        await use(versions, version)
    assert sorted(memory.open) == ["a", "b", "d"]
    assert memory.most_open == 3


async def test_a_request_for_yet_another_version_waits_until_one_is_free(registry: Registry) -> None:
    memory, versions = await following(registry, idle_versions=1)
    async with versions.lease("b"):
        third = asyncio.create_task(use(versions, "c"))
        await settle()
        assert memory.open == ["a", "b"]
    await third
    assert memory.open == ["a", "c"]
    assert memory.most_open == 2


async def test_nobody_is_waited_for_who_gave_up(registry: Registry) -> None:
    memory, versions = await following(registry, idle_versions=1)
    async with versions.lease("b"):
        third = asyncio.create_task(use(versions, "c"))
        await settle()
        third.cancel()
        await settle()
    await settle()
    assert memory.loads == ["a", "b"]
    await use(versions, "c")
    assert memory.loads == ["a", "b", "c"]


async def test_activation_does_not_wait_for_room(registry: Registry) -> None:
    memory, versions = await following(registry, idle_versions=1)
    async with versions.lease("b"):
        waiting = asyncio.create_task(use(versions, "c"))
        await settle()
        assert await versions.activate("d") == "a"
        assert await versions.activate("c") == "d"  # the one whose load was waiting
        await waiting
    await settle()
    assert versions.active == "c"
    assert len(memory.open) == 2


async def test_a_version_that_cannot_be_loaded_leaves_the_old_one_live(registry: Registry) -> None:
    memory = Memory()
    memory.broken.add("b")
    versions = PolicyVersions(registry, memory.load)
    await versions.follow_registry()
    with pytest.raises(UnusableVersionError, match="it is broken"):
        await versions.activate("b")
    with pytest.raises(UnknownVersionError):
        await versions.activate("nobody")
    assert versions.active == "a"
    assert registry.active.policy() == "a"
    memory.broken.clear()
    assert await versions.activate("b") == "a"


async def test_a_version_in_memory_that_cannot_be_asked_is_not_made_live(registry: Registry) -> None:
    memory = Memory()
    versions = PolicyVersions(registry, memory.load)
    await versions.activate("a")
    await use(versions, "b")
    memory.trouble["b"] = "its engine has stopped"
    with pytest.raises(UnusableVersionError, match="its engine has stopped"):
        await versions.activate("b")
    assert versions.active == "a"
    assert registry.active.policy() == "a"
    await versions.aclose()


async def test_a_published_version_that_is_broken_is_tried_again_at_growing_intervals(registry: Registry) -> None:
    memory = Memory()
    memory.broken.add("b")
    now = 0.0
    versions = PolicyVersions(registry, memory.load, clock=lambda: now)
    await versions.follow_registry()
    registry.activate_policy("b")
    tries: list[int] = []
    for now in range(200):
        await versions.follow_registry()
        if memory.loads[len(tries) + 1 :]:
            tries.append(now)
    assert tries == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert versions.active == "a"
    assert versions.trouble == "it is broken"
    memory.broken.clear()
    now = 300.0
    await versions.follow_registry()
    assert versions.active == "b"
    assert versions.trouble is None


async def test_a_newly_published_version_does_not_wait_for_a_broken_one_s_interval(registry: Registry) -> None:
    memory = Memory()
    memory.broken.add("b")
    versions = PolicyVersions(registry, memory.load, clock=lambda: 0.0)
    await versions.follow_registry()
    registry.activate_policy("b")
    await versions.follow_registry()
    registry.activate_policy("c")
    await versions.follow_registry()
    assert versions.active == "c"


async def test_without_a_live_version_a_request_is_told_why(registry: Registry) -> None:
    (registry.root / "active.json").write_text("{ this is no JSON")
    versions = PolicyVersions(registry, Memory().load)
    watcher = asyncio.create_task(versions.watch(60))
    with pytest.raises(NoActiveVersionError, match=r"active\.json cannot be read"):
        await versions.resolve(None)
    watcher.cancel()


async def test_an_active_json_that_cannot_be_written_changes_nothing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_version: str) -> None:
        raise PermissionError("read-only")

    memory, versions = await following(registry, idle_versions=0)
    monkeypatch.setattr(registry, "activate_policy", refuse)
    with pytest.raises(PermissionError):
        await versions.activate("b")
    await settle()
    assert versions.active == "a"
    assert memory.open == ["a"]
