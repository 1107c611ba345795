"""Logs: each line of a process is one JSON object, whoever wrote it; those within a request carry its id.

Beside our own lines these are what libraries log, some through handlers of their own, what they warn of, and exceptions
that nobody catches: in threads, in tasks, as objects are taken away, or at the top of the process. What a picture's
decoder says is thrown away in its worker. A service that refuses to start says so in plain words, to the person who
starts it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, Final

import structlog
import uvloop

NOISY: Final = ("uvicorn.access", "httpx", "httpcore")
"""Loggers that are heard of warnings only, at every level: they tell of each request, with its address and headers."""
_log = structlog.get_logger(__name__)


def configure_logging(service: str, *, level: str = "info", form: str = "json") -> None:
    """Send structlog's and the standard library's records to stderr, one line each.

    Args:
        service: Name that every line carries.
        level: Least severe level that is written.
        form: "json" for machines, "console" for a person at a terminal.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _method, event: {"service": service, **event},
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if form == "console" else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One access line per request is written by RequestTelemetry, with the request's id; these would double it.
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    take_over_loggers()
    logging.captureWarnings(True)
    sys.excepthook = _at_the_top
    sys.unraisablehook = _of_no_caller
    threading.excepthook = _in_a_thread


def take_over_loggers() -> None:
    """Have what libraries log come out like all else: some, as transformers, write lines of their own."""
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger.handlers:
            logger.handlers.clear()
            logger.propagate = True


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop that logs what goes wrong in a task, with the id of the request that started it."""
    loop = uvloop.new_event_loop()
    if not hasattr(asyncio.Task, "get_context"):  # before Python 3.12
        loop.set_task_factory(_remembering)
    loop.set_exception_handler(_in_a_task)
    return loop


class _RememberingTask(asyncio.Task[Any]):
    """A task that knows its context, as all do from Python 3.12 on."""

    context: contextvars.Context

    def get_context(self) -> contextvars.Context:
        return self.context


def _remembering(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    /,
    *,
    context: contextvars.Context | None = None,
    **others: Any,
) -> asyncio.Task[Any]:
    known = contextvars.copy_context() if context is None else context
    task = _RememberingTask(coroutine, loop=loop, context=known, **others)
    task.context = known
    return task


def _in_a_task(_loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
    task = told.get("task") or told.get("future")
    get_context = getattr(task, "get_context", None)
    context = contextvars.copy_context() if get_context is None else get_context().copy()
    details = {name: repr(value) for name, value in told.items() if name not in ("message", "exception")}
    context.run(_log.error, told["message"], exc_info=told.get("exception"), **details)


def _in_a_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_type is SystemExit:
        return
    name = told.thread.name if told.thread is not None else None
    _log.error(
        "a thread ended by an exception", thread=name, exc_info=(told.exc_type, told.exc_value, told.exc_traceback)
    )


def _of_no_caller(told: sys.UnraisableHookArgs) -> None:
    what = told.err_msg or "an exception that no caller could be told of"
    _log.error(what, object=repr(told.object), exc_info=(told.exc_type, told.exc_value, told.exc_traceback))


def _at_the_top(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log.critical("the process ends by an exception", exc_info=(kind, error, trace))
