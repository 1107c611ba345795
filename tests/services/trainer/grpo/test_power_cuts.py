"""SIGKILL at random moments of a run, again and again: it can always be resumed, and comes to what it would have been.

Two cuts in `make test`, fifty by `make test-power-cuts`: POWER_CUTS says how many.
"""

from __future__ import annotations

import json
import os
import random
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from services.trainer.grpo.run import execute
from tests.services.trainer.grpo.conftest import STEPS, Begin, Trained, flaky, metrics
from tests.services.trainer.grpo.test_crashes import the_same
from tests.support.openai_app import ScriptedServer
from tests.support.waiting import wait_until

CUTS = int(os.environ.get("POWER_CUTS", "2"))
PATIENCE_S = 150
SEED = 20_260_301

pytestmark = [pytest.mark.xdist_group("grpo"), pytest.mark.timeout(60 + 60 * CUTS)]


def start(context: ForkServerContext, folder: Path) -> ForkServerProcess:
    process = context.Process(target=execute, args=(folder,))
    process.start()
    return process


def test_a_run_that_is_cut_off_again_and_again_comes_to_the_same(
    trained: Trained, begin: Begin, processes: ForkServerContext
) -> None:
    draw, server = random.Random(SEED), ScriptedServer(flaky)
    folder = begin(server)
    spec = (folder / "config.json").read_bytes()
    published = trained.registry / "policies" / folder.parent.name
    cuts, steps_at_cuts = 0, []
    while cuts < CUTS:
        again(folder, spec, published)
        while True:
            process = start(processes, folder)
            # After so many questions of a whole run's, and a moment: what follows them is saved, evaluated, published.
            enough = len(server.prompts) + draw.randrange(len(trained.server.prompts))
            wait_until(lambda: len(server.prompts) >= enough or not process.is_alive(), PATIENCE_S)  # noqa: B023
            process.join(draw.uniform(0, 0.5))
            if not process.is_alive():
                assert process.exitcode == 0
                break
            process.kill()
            process.join()
            cuts += 1
            steps_at_cuts.append(len(metrics(folder)))
            if cuts == CUTS:
                # What is left runs through, so that the last of all cuts is looked at as well.
                process = start(processes, folder)
                process.join(PATIENCE_S)
                assert process.exitcode == 0
                break
        the_same(folder, trained.folder)
        progress = json.loads((folder / "progress.json").read_text())
        assert (progress["state"], progress["step"]) == ("succeeded", STEPS), steps_at_cuts
        for name in ("best", "published"):
            ours = load_file((folder / "best" if name == "best" else published) / "model.safetensors")
            theirs = load_file(trained.folder / "best" / "model.safetensors")
            assert ours.keys() == theirs.keys()
            assert max(float(np.abs(ours[key] - theirs[key]).max()) for key in ours) < 1e-5, (name, steps_at_cuts)
        assert not list(published.parent.glob(".*"))  # nothing half done is left in the registry
    assert cuts == CUTS


def again(folder: Path, spec: bytes, published: Path) -> None:
    """Put a run back to its beginning, and what it has published away."""
    for place in (folder, published) if published.exists() else ():
        for path in sorted(place.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
    if published.exists():
        published.rmdir()
    (folder / "config.json").write_bytes(spec)
