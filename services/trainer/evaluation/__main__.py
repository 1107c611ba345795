"""Execute a prepared evaluation: python -m services.trainer.evaluation FOLDER.

Exit status: 0 done, 1 failed (the reason is on stderr and in progress.json), 2 settings that cannot be used,
130 stopped by SIGTERM or SIGINT.
"""

from __future__ import annotations

import sys
from pathlib import Path

import stamina.instrumentation

from services.common.startup import read_settings
from services.trainer.errors import EvaluationFailedError, EvaluationStoppedError
from services.trainer.evaluation.execute import execute
from services.trainer.model_settings import ModelSettings
from services.trainer.stop_signals import STOPPED, stop_on_signals


def main(folder: Path) -> int:
    """Execute an evaluation; the exit status says how it ended."""
    stamina.instrumentation.set_on_retry_hooks([])  # what fails for good is counted and reported
    try:
        with stop_on_signals() as stop:
            execute(folder, keys=read_settings(ModelSettings).keys, stop=stop)
    except EvaluationFailedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except EvaluationStoppedError:
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
