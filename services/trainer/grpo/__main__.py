"""Run or go on with a prepared run: python -m services.trainer.grpo FOLDER (also under `accelerate launch -m`).

The folder's config.json says what the run is. SIGTERM and SIGINT end it after the step in progress, with a checkpoint.
Exit status: 0 done, 1 failed (the reason is the last line on stderr and in progress.json), 130 stopped before its end.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

import stamina.instrumentation

from services.trainer.errors import RunError
from services.trainer.grpo.connection import ConnectionSettings
from services.trainer.grpo.event_writer import EventWriter
from services.trainer.grpo.run import execute
from services.trainer.stop_signals import STOPPED, stop_on_signals


def main(folder: Path) -> int:
    """Execute a run; the exit status says how it ended."""
    stamina.instrumentation.set_on_retry_hooks([])  # what fails for good is counted and reported
    logging.getLogger("trl").setLevel(logging.ERROR)  # it tells of every masked sample at length
    try:
        with stop_on_signals() as stop:
            result = execute(
                folder, observer=EventWriter(folder), key=ConnectionSettings().downstream_api_key, stop=stop
            )
    except RunError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    finally:
        _leave_group()
    return STOPPED if result.stopped else 0


def _leave_group() -> None:
    """End what torch runs between processes: its threads abort a process that exits while they run."""
    group = sys.modules.get("torch.distributed")  # a run that ends before it trains loads no torch
    if group is not None and group.is_available() and group.is_initialized():
        with suppress(RuntimeError):  # the run's own end is what the status tells
            group.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
