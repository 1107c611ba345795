"""The task that writes a gateway's start, and changes of its keys and registry, into the audit log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import anyio
import anyio.to_thread

from services.common.http.health import revision, software_version
from services.common.settings import ServiceSettings
from services.gateway.records.audit.entry import Kind
from services.gateway.records.audit.states import KeysState, Probe, RegistryState, settings_state
from services.gateway.records.errors import RecordsError

_EVERY_S = 5.0


class Notes(Protocol):
    """A place for entries."""

    async def note(self, kind: Kind, body: Mapping[str, Any]) -> None:
        """Write an entry; raise RecordsError where that cannot be."""

    async def note_state(self, kind: Kind, state: Mapping[str, Any]) -> bool:
        """Write a state, unless it is the one that was written last; raise RecordsError where that cannot be."""


async def watch_states(
    log: Notes, settings: ServiceSettings, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
) -> None:
    """Write the start, and then look again and again for changes, for ever.

    A database that is away is tried again. A state that cannot be read is looked at again too: what was known of it
    stands until then.

    Args:
        log: Where entries go.
        settings: The gateway's.
        sleep: Waits for so many seconds.
    """
    probes: Mapping[Kind, Probe] = {
        Kind.KEYS: KeysState(settings.api_keys),
        Kind.REGISTRY: RegistryState(settings.registry),
    }
    noted: dict[Kind, Mapping[str, Any]] = {}
    start = {"software": software_version(), "revision": revision(), "settings": settings_state(settings)}
    has_begun = False
    while True:
        try:
            if not has_begun:
                await log.note(Kind.START, start)
                has_begun = True
            for kind, probe in probes.items():
                state = await anyio.to_thread.run_sync(probe)
                if state is not None and state != noted.get(kind):
                    await log.note_state(kind, state)
                    noted[kind] = state
        except RecordsError:
            pass  # it is logged where records are written
        await sleep(_EVERY_S)
