"""Several worker processes of one service on one address, supervised by uvicorn.

The service's process binds the address and starts the workers, each with an application of its own. One that ends or
hangs is replaced; SIGTERM lets all finish what they have begun; SIGHUP replaces one after another, each once its
successor serves.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from socket import socket
from typing import Any, Final, Generic, TypeVar

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess, multiprocess

from services.common import garbage
from services.common.http.connection import bounded_protocol
from services.common.http.server import EndingServer, server_options
from services.common.logs import configure_logging, take_over_loggers
from services.common.metrics_registry import SHARED_VARIABLE
from services.common.process_memory import give_back_large_blocks
from services.common.settings import ServiceSettings

_UNRESPONSIVE_S: Final = 60
"""Seconds after which a worker that does not answer its supervisor is replaced; starting one takes some of them."""
_LOOK_S: Final = 1
_RETRY_S: Final = 1.0
_GIVES_WAY_S: Final = 0.001
"""Seconds for each of its connections that a worker leaves the next one to the others."""
_LONGEST_S: Final = 0.02
_REPLACED_S: Final = 1.0
"""Seconds that a worker still answers once it is to end: clients that keep connections are told to make new ones."""
_log = structlog.get_logger(__name__)

S = TypeVar("S", bound=ServiceSettings)


def serve_by_workers(create: Callable[[S], FastAPI], settings: S, count: int) -> None:
    """Serve by several processes until SIGTERM or SIGINT, then let requests in flight finish.

    This process ends with status 1 where a worker cannot start.

    Args:
        create: Makes the application; a function of a module, called in each worker.
        settings: Settings of one worker, with its share of the bounds that hold for all together.
        count: Number of workers.
    """
    with tempfile.TemporaryDirectory(prefix=f"trustvqa-{settings.service}-metrics-") as shared:
        # prometheus_client looks for it when it is imported, which each worker does anew.
        os.environ[SHARED_VARIABLE] = shared
        config = _WorkerConfig(create, settings, count)
        listener = config.bind_socket()
        supervisor = _Supervisor(config, [listener])
        garbage.look_for_all()  # services begin without, and this process serves nothing itself
        supervisor.run()
        listener.close()
    if supervisor.has_failed:
        sys.exit(1)


class _WorkerConfig(uvicorn.Config, Generic[S]):
    """A server's configuration that travels to a worker process, and makes the application there."""

    def __init__(self, create: Callable[[S], FastAPI], settings: S, count: int) -> None:
        super().__init__(
            "",
            workers=count,
            timeout_worker_healthcheck=_UNRESPONSIVE_S,
            callback_notify=self._look,
            timeout_notify=_LOOK_S,
            **server_options(settings),
        )
        self._create = create
        self._settings = settings
        self._supervisor = os.getpid()

    def load(self) -> None:
        """Make the application, in the worker's process."""
        configure_logging(self._settings.service, level=self._settings.log_level, form=self._settings.log_format)
        give_back_large_blocks()
        try:
            self.app = self._create(self._settings)
        except Exception:
            _log.exception("a worker cannot start")
            sys.exit(STARTUP_FAILURE)  # its supervisor then ends, too, instead of trying for ever
        take_over_loggers()
        self.http = bounded_protocol(self._settings.max_connections)
        super().load()

    async def _look(self) -> None:
        """Show others, once a second, what only this process knows; end where its supervisor has gone."""
        assert isinstance(self.app, FastAPI)  # noqa: S101 - load has made it
        self.app.state.metrics.keep_up()
        if os.getppid() != self._supervisor:
            signal.raise_signal(signal.SIGTERM)


class _WorkerServer(EndingServer):
    """A server that takes one connection at a time off a listener that it shares with other workers.

    A loop's own server takes all that wait as soon as it wakes: of clients that come together and keep their
    connections, one worker would have most, and the others nothing to do. With one at a time, whoever is idle takes the
    next.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config, _REPLACED_S, is_whole=False)
        self._connecting: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start the application, and then listen."""
        await super().startup([])
        for listener in sockets or []:
            listener.setblocking(False)
            listener.listen(self.config.backlog)
            self._listen(listener)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Take no more connections, and end those that there are in order."""
        for listener in sockets or []:
            asyncio.get_running_loop().remove_reader(listener)
        await super().shutdown(sockets)

    def _listen(self, listener: socket) -> None:
        if listener.fileno() >= 0:  # it is closed when the worker ends
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was quicker, or the client has left
        except OSError as error:
            _log.error("a connection cannot be taken", reason=str(error))  # mostly too many open files
            loop.remove_reader(listener)
            loop.call_later(_RETRY_S, self._listen, listener)
            return
        # Who has more connections leaves the next to others for longer: one that runs already would take all before
        # those that sleep have woken.
        loop.remove_reader(listener)
        held = len(self.server_state.connections) + 1
        loop.call_later(min(_GIVES_WAY_S * held, _LONGEST_S), self._listen, listener)
        connection.setblocking(False)
        task = loop.create_task(loop.connect_accepted_socket(self._protocol, connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(
            config=self.config,  # type: ignore[call-arg]  # every one of uvicorn's takes these
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return protocol


class _Worker(multiprocess.Process):
    """A worker as its supervisor sees it, and as it begins in its own process."""

    @property
    def server(self) -> _WorkerServer:
        """The server, in the worker's process."""
        if self._server is None:
            self._server = _WorkerServer(self.config)
        assert isinstance(self._server, _WorkerServer)  # noqa: S101 - nothing else makes one
        return self._server

    def target(self, sockets: list[socket] | None = None) -> None:
        """Run the server, in the worker's process."""
        _ = self.server  # made ahead of the thread that answers the supervisor, which asks for it too
        super().target(sockets)

    def start(self) -> None:
        """Start the process."""
        super().start()
        # With a copy of the worker's end of the pipe here, its death in the midst of a look would not be seen at once.
        self.child_conn.close()


multiprocess.Process = _Worker  # type: ignore[misc]  # uvicorn asks for it by this name alone


class _Supervisor(Multiprocess):
    """Starts and replaces workers, and forgets the gauges of those that are gone.

    Attributes:
        has_failed: Whether a worker could not start.
    """

    has_failed = False

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended or hang."""
        before = self._pids()
        super().keep_subprocess_alive()
        self.has_failed = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        self._forget(before - self._pids())

    def restart_all(self) -> None:
        """Replace all workers, one after another."""
        before = self._pids()
        super().restart_all()
        self._forget(before - self._pids())

    def _pids(self) -> set[int]:
        return {process.pid for process in self.processes if process.pid is not None}

    def _forget(self, pids: set[int]) -> None:
        for pid in pids:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
