"""Runs a service's application."""

from __future__ import annotations

import math
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from services.common import garbage
from services.common.http.connection import bounded_protocol
from services.common.logs import take_over_loggers
from services.common.settings import ServiceSettings

_FAILURE = 1
_log = structlog.get_logger(__name__)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve an application until SIGTERM or SIGINT, then let requests in flight finish.

    At SIGTERM the service first goes on for `shutdown_delay_s`, while its readiness says no and each reply ends its
    connection: whoever chooses among replicas has heard by then, and sends nothing to a port that nobody listens on.
    Requests that are still in flight after `shutdown_grace_s` get a problem document.

    The process ends by itself, with status 1, once the application says that it is of no use any more: whoever started
    it then starts another. Docker starts again what has ended, but not what is merely unhealthy.

    Args:
        app: The application, from `create_app`.
        settings: Where to listen, how long to drain.
    """
    server = EndingServer(server_config(app, settings), settings.shutdown_delay_s)
    with suppress(KeyboardInterrupt):  # raised again by uvicorn once it has shut down
        server.run()
    if server.is_dead or not server.started:
        sys.exit(_FAILURE)


def server_config(app: ASGIApp, settings: ServiceSettings) -> uvicorn.Config:
    """Configure the server of an application: where it listens, and its bounds on connections."""
    return uvicorn.Config(app, http=bounded_protocol(settings.max_connections), **server_options(settings))


def server_options(settings: ServiceSettings) -> dict[str, Any]:
    """Give uvicorn's options, but for the application and the protocol: where to listen, how to log and to end."""
    return {
        "host": settings.host,
        "port": settings.port,
        "ws": "none",
        "loop": "services.common.logs:new_event_loop",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": 30,
        "timeout_graceful_shutdown": math.ceil(settings.shutdown_grace_s),
    }


class EndingServer(uvicorn.Server):
    """A server that goes on for a while once it is to end, with replies that end their connections.

    Args:
        config: Its configuration.
        delay_s: Seconds from SIGTERM until it takes no more connections.
        is_whole: Whether the service ends with it, so that its readiness says no from then on; a worker that is
            replaced is not.
        clock: Monotonic seconds.

    Attributes:
        is_dead: Whether it has ended since its application said that it is of no use any more.
    """

    is_dead = False

    def __init__(
        self,
        config: uvicorn.Config,
        delay_s: float,
        *,
        is_whole: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config)
        self._delay_s = delay_s
        self._is_whole = is_whole
        self._clock = clock
        self._leaves_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end: at once, or after SIGTERM's delay; a second signal cuts that short."""
        if self._is_whole:
            self.config.app.state.is_ending = True  # type: ignore[union-attr]
        # The list that replies begin with, those of requests in flight included.
        self.server_state.default_headers.append((b"connection", b"close"))
        if sig != signal.SIGTERM or self._leaves_at is not None or not self._delay_s:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)  # raised again once all is done, as the other one's are
        self._leaves_at = self._clock() + self._delay_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and take over the loggers of what was imported meanwhile."""
        take_over_loggers()
        await super().startup(sockets)
        take_over_loggers()
        garbage.look_for_new()  # services begin without

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether to go on."""
        if not self.is_dead and not self.config.app.state.is_alive():  # type: ignore[union-attr]
            _log.error("a part that only a restart brings back has ended: this process ends")
            self.is_dead = True
        has_left = self._leaves_at is not None and self._clock() >= self._leaves_at
        return await super().on_tick(counter) or self.is_dead or has_left
