"""Policy versions in memory: which one is live, how another takes its place, when one is let go."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from prompt4trust.prompts import PromptTemplate
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.policy.errors import NoActiveVersionError, UnknownVersionError, UnusableVersionError
from services.policy.generators.generator import Generator

_RETRY_FIRST_S = 1.0
_RETRY_MOST_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy version that is ready to write, with the template that it was trained with.

    Attributes:
        version: Its name.
        template: The wording of what it is asked.
        generator: What writes.
        model: What model that is, whatever the version is called: the engine, and the name that a server is asked for
            or the digest of the files that were loaded. The same wherever the same model writes.
    """

    version: str
    template: PromptTemplate
    generator: Generator
    model: str


Loader = Callable[[str, Path], Awaitable[LoadedPolicy]]
"""Makes the version of a name ready from its directory; raises UnusableVersionError where that fails."""


class PolicyVersions:
    """The versions that are in memory, and the live one among them.

    A version in use is pinned: it is never closed before its last request is done. Beside the live version a bounded
    number of others stays in memory, the least recently used going first; while they are all in use a request for yet
    another waits.

    Args:
        registry: Where versions come from and where active.json says which is live.
        load: Makes a version ready.
        idle_versions: Versions that stay besides the live one while nobody uses them.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        registry: Registry,
        load: Loader,
        *,
        idle_versions: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._load_from = load
        self._idle_versions = idle_versions
        self._clock = clock
        self._loaded: OrderedDict[str, LoadedPolicy] = OrderedDict()
        self._loading: dict[str, asyncio.Task[LoadedPolicy]] = {}
        self._pins: Counter[str] = Counter()
        self._released = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._one_by_one = asyncio.Lock()
        self._switching = asyncio.Lock()
        self._becoming_active: str | None = None
        self._looked = asyncio.Event()
        self._seen: tuple[int, int, int] | None = None
        self._retry_at = 0.0
        self._retry_pause = 0.0
        self.active: str | None = None
        self.trouble: str | None = None
        """Why the version that active.json names is not the one that is live, where that is so."""

    @property
    def loaded(self) -> list[str]:
        """Names of the versions in memory, the least recently used first."""
        return list(self._loaded)

    async def live_trouble(self) -> str | None:
        """Find out why the live version cannot be asked just now; None where it can, or where there is none."""
        policy = None if self.active is None else self._loaded.get(self.active)
        return None if policy is None else await policy.generator.trouble()

    @property
    def alive(self) -> bool:
        """Whether no engine of this process has ended, which nothing but a restart brings back."""
        return all(policy.generator.alive for policy in self._loaded.values())

    async def resolve(self, version: str | None) -> str:
        """Find which version a request is for.

        Args:
            version: The version that it names, or None for the live one.

        Returns:
            The version's name.

        Raises:
            UnknownVersionError: If there is no such version.
            NoActiveVersionError: If it names none and none is live.
        """
        if version is not None:
            self._path_of(version)
            return version
        if self.active is None:
            await self._looked.wait()  # the service has just started and is loading its first version
        if self.active is None:
            raise NoActiveVersionError(self.trouble or "the registry names no live policy version")
        return self.active

    @contextmanager
    def pin(self, version: str) -> Iterator[None]:
        """Keep a version from being closed, without loading it.

        Args:
            version: Its name, as resolve returned it; nothing may be awaited in between.
        """
        self._pins[version] += 1
        try:
            yield
        finally:
            self._pins[version] -= 1
            if not self._pins[version]:
                del self._pins[version]
                self._released.set()
                self._trim()

    @asynccontextmanager
    async def lease(self, version: str) -> AsyncIterator[LoadedPolicy]:
        """Use a version, loading it first if need be; it is not closed meanwhile.

        Args:
            version: Its name.

        Raises:
            UnknownVersionError: If there is no such version.
            UnusableVersionError: If it cannot be loaded.
        """
        with self.pin(version):
            policy = await self._get(version)
            self._loaded.move_to_end(version)
            yield policy

    async def activate(self, version: str) -> str | None:
        """Make a version live: load it while the old one serves, write active.json, then swap.

        Args:
            version: Its name.

        Returns:
            The version that was live before.

        Raises:
            UnknownVersionError: If there is no such version.
            UnusableVersionError: If it cannot be loaded or asked; the old one then stays live.
            OSError: If active.json cannot be written; the old one then stays live.
        """
        self._path_of(version)
        async with self._switching:
            return await self._switch(version, write=True)

    async def follow_registry(self) -> None:
        """Look once whether active.json names another version, and switch to it if so.

        A version that cannot be loaded leaves the old one live; it is tried again at growing intervals.
        """
        async with self._switching:
            stamp = await asyncio.to_thread(self._registry.active.stamp)
            if stamp == self._seen and (self.trouble is None or self._clock() < self._retry_at):
                return
            if stamp != self._seen:
                self._retry_pause = 0.0
            try:
                wanted = self._registry.active.policy()
                if wanted is not None and wanted != self.active:
                    await self._switch(wanted, write=False)
                self.trouble = None
                self._seen = stamp
            except (RegistryError, UnknownVersionError, UnusableVersionError) as error:
                self.trouble = str(error)
                self._seen = stamp
                self._retry_pause = min(_RETRY_MOST_S, 2 * self._retry_pause or _RETRY_FIRST_S)
                self._retry_at = self._clock() + self._retry_pause
                _log.error("active.json cannot be followed", reason=str(error), serving=self.active)

    async def watch(self, interval_s: float) -> None:
        """Follow active.json until cancelled.

        Args:
            interval_s: Seconds between two looks.
        """
        while True:
            try:
                await self.follow_registry()
            except OSError as error:  # a volume that is away for a moment
                self.trouble = "the registry cannot be read"
                _log.error("registry not readable", reason=str(error))
            self._looked.set()
            await asyncio.sleep(interval_s)

    async def aclose(self) -> None:
        """Close every version; nothing is in flight any more."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        for version in self.loaded:
            self._retire(version)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _switch(self, version: str, *, write: bool) -> str | None:
        self._becoming_active = version
        self._released.set()  # if its load was waiting for room, it need not any longer
        try:
            async with self.lease(version) as policy:
                # It may have been in memory for long, and its server gone since.
                if (trouble := await policy.generator.trouble()) is not None:
                    raise UnusableVersionError(f"{version} cannot be asked: {trouble}")
                if write:
                    await asyncio.to_thread(self._registry.activate_policy, version)
                previous, self.active = self.active, version
                self.trouble = None
        finally:
            self._becoming_active = None
        self._trim()
        _log.info("policy activated", version=version, previous=previous, asked_by="request" if write else "registry")
        return previous

    def _path_of(self, version: str) -> Path:
        try:
            return self._registry.policy_path(version)
        except RegistryError as error:
            raise UnknownVersionError(str(error)) from error

    async def _get(self, version: str) -> LoadedPolicy:
        if version in self._loaded:
            return self._loaded[version]
        task = self._loading.get(version)
        if task is None:
            task = asyncio.create_task(self._load(version))
            # All who wait may give up: nobody is then left to hear of a failure.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._loading[version] = task
        # A caller that gives up does not stop the load: the next one will be glad of it.
        return await asyncio.shield(task)

    async def _load(self, version: str) -> LoadedPolicy:
        try:
            if version == self._becoming_active:
                return await self._load_now(version)
            async with self._one_by_one:
                await self._make_room(version)
                await asyncio.gather(*self._closing)  # what they hold is free only then
                return await self._load_now(version)
        finally:
            del self._loading[version]

    async def _load_now(self, version: str) -> LoadedPolicy:
        started = self._clock()
        policy = await self._load_from(version, self._path_of(version))
        self._loaded[version] = policy
        _log.info("policy loaded", version=version, seconds=round(self._clock() - started, 2))
        return policy

    async def _make_room(self, version: str) -> None:
        while version != self._becoming_active:
            others = [name for name in self._loaded if name not in (self.active, self._becoming_active)]
            if len(others) < max(1, self._idle_versions):
                return
            if (unused := next((name for name in others if not self._pins[name]), None)) is not None:
                self._retire(unused)
                continue
            self._released.clear()
            await self._released.wait()
            if not self._pins[version]:
                raise UnusableVersionError("nobody waits for it any more")

    def _trim(self) -> None:
        idle = [name for name in self._loaded if name != self.active and not self._pins[name]]
        for name in idle[: max(0, len(idle) - self._idle_versions)]:
            self._retire(name)

    def _retire(self, version: str) -> None:
        policy = self._loaded.pop(version)
        task = asyncio.create_task(self._close(policy))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, policy: LoadedPolicy) -> None:
        try:
            await policy.generator.aclose()
        except Exception:
            _log.exception("policy did not close cleanly", version=policy.version)
        _log.info("policy closed", version=policy.version)
