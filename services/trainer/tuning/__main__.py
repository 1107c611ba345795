"""Run or go on with a prepared tuning run: python -m services.trainer.tuning FOLDER.

SIGTERM and SIGINT end it after the epoch in progress, with a checkpoint.
Exit status: 0 done, 1 failed (the reason is on stderr and in progress.json), 130 stopped before its end.
"""

from __future__ import annotations

import sys
from pathlib import Path

from services.trainer.errors import RunError
from services.trainer.stop_signals import STOPPED, stop_on_signals
from services.trainer.tuning.execute import execute


def main(folder: Path) -> int:
    """Execute a run; the exit status says how it ended."""
    try:
        with stop_on_signals() as stop:
            result = execute(folder, stop=stop)
    except RunError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return STOPPED if result.stopped else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
