"""Whatever ends a run: it goes on from its last whole checkpoint, and says what was wrong."""

from __future__ import annotations

import json
import shutil
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from services.common.registry.directory import Registry
from services.trainer.errors import RunBusyError, RunError
from services.trainer.grpo.journal import SilentObserver
from services.trainer.grpo.run import execute
from tests.services.trainer.grpo.board import scalars
from tests.services.trainer.grpo.conftest import BATCH, STEPS, VALIDATION, Begin, Told, Trained, flaky, metrics
from tests.support.models import overconfident
from tests.support.openai_app import Reply, ScriptedServer
from tests.support.servers import running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("grpo")  # one finished run serves all of these

PATIENCE_S = 150  # a process that imports torch on a machine that others keep busy
SHORT = {"max_steps": 2, "learning_rate": 1e-2, "per_device_train_batch_size": BATCH}


@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    trained: Trained, begin: Begin, processes: ForkServerContext
) -> None:
    server = ScriptedServer()
    # The start's validation, three steps, the first checkpoint's validation; the fourth step then hangs.
    enough = VALIDATION + 3 * BATCH + VALIDATION

    def hang_after_a_while(prompt: str) -> Reply:
        return flaky(prompt) if len(server.prompts) <= enough else None

    server.script = hang_after_a_while
    folder = begin(server)
    process = processes.Process(target=execute, args=(folder,))
    process.start()
    try:
        wait_until(lambda: len(server.prompts) == enough + BATCH or not process.is_alive(), PATIENCE_S)
        assert process.is_alive()
        with pytest.raises(RunBusyError):
            execute(folder)
    finally:
        process.kill()
        process.join()
    assert [row["step"] for row in metrics(folder)] == [1, 2, 3]

    server.script = flaky
    unfinished = folder / "checkpoints" / "checkpoint-3"
    unfinished.mkdir()
    (unfinished / "model.safetensors").write_bytes(b"half")
    told = Told()
    result = execute(folder, observer=told)
    assert (result.step, result.resumed_from) == (STEPS, 2)
    assert told.notes[:2] == ["checkpoint-3 is removed: it was not finished", "going on from step 2"]
    the_same(folder, trained.folder)
    assert load_file(folder / "best" / "model.safetensors").keys()


def the_same(folder: Path, uninterrupted: Path) -> None:
    """Check that a run that was interrupted wrote what one wrote that was not, in the lines and for TensorBoard."""
    rows, others = metrics(folder), metrics(uninterrupted)
    assert [row["step"] for row in rows] == [row["step"] for row in others]
    for name in ("loss", "reward", "kl", "grad_norm", "learning_rate", "accuracy", "masked_total"):
        assert [row[name] for row in rows] == pytest.approx([row[name] for row in others], abs=1e-5), name
    assert scalars(folder / "tensorboard")["loss"] == pytest.approx({row["step"]: row["loss"] for row in rows})


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained.folder, folder)
    weights = folder / "checkpoints" / f"checkpoint-{STEPS}" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # as a failing disk does: the size stays
    weights.write_bytes(content)
    told = Told()
    with running(ScriptedServer(flaky).app) as url:
        spec = json.loads((folder / "config.json").read_text())
        spec["connection"]["url"] = f"{url}/v1"
        (folder / "config.json").write_text(json.dumps(spec))
        result = execute(folder, observer=told)
    assert told.notes[:2] == [
        f"checkpoint-{STEPS} is removed: model.safetensors is damaged",
        f"going on from step {STEPS - 2}",
    ]
    assert (result.step, result.resumed_from) == (STEPS, STEPS - 2)
    the_same(folder, trained.folder)
    content[-1] ^= 1
    assert weights.read_bytes() == content


def test_a_stopped_run_leaves_a_checkpoint_and_a_dead_service_a_clear_error(begin: Begin) -> None:
    server = ScriptedServer()
    folder = begin(server, update={**SHORT, "max_steps": 3})
    told = Told(stop_after=1)  # told after the step: the next one is in progress when it asks
    result = execute(folder, observer=told, stop=told.stop)
    assert (result.stopped, result.step) == (True, 2)
    assert json.loads((folder / "progress.json").read_text())["state"] == "cancelled"

    server.script = lambda _: 503
    with pytest.raises(
        RunError, match=r"6 of 6 validation questions could not be scored .*status 503.* resume the run"
    ):
        execute(folder)
    assert json.loads((folder / "progress.json").read_text())["state"] == "failed"

    # Alive for the validation of step 2, and dead for the batch of step 3.
    server.script = lambda prompt: overconfident(prompt) if "Number 10" in prompt else 503
    with pytest.raises(RunError, match=r"8 of the last 8 completions could not be scored.*status 503"):
        execute(folder)
    assert [row["step"] for row in metrics(folder)] == [1, 2]


@pytest.mark.parametrize("full", ["metrics.jsonl", "checkpoints/checkpoint-2/optimizer.pt"])
def test_a_full_disk_is_called_one_and_the_run_goes_on_when_there_is_room(begin: Begin, full: str) -> None:
    folder = begin(ScriptedServer(), update=SHORT)

    class FillsUp(SilentObserver):
        def note(self, text: str) -> None:
            if text.startswith("step 0"):
                (folder / full).parent.mkdir(parents=True, exist_ok=True)
                (folder / full).symlink_to("/dev/full")

    with pytest.raises(RunError, match="the disk is full"):
        execute(folder, observer=FillsUp())
    assert json.loads((folder / "progress.json").read_text())["state"] == "failed"
    if full == "metrics.jsonl":
        (folder / full).unlink()
    assert execute(folder).step == 2  # what a checkpoint on a full disk left is removed
    assert [row["step"] for row in metrics(folder)] == [1, 2]


def test_a_registry_that_cannot_be_written_costs_no_training(begin: Begin, registry: Path, tmp_path: Path) -> None:
    server = ScriptedServer()
    folder = begin(server, update=SHORT, policy=str(registry / "policies" / "policy-tiny"), root=tmp_path / "registry")
    policies = tmp_path / "registry" / "policies"

    class Withdraws(SilentObserver):
        def note(self, text: str) -> None:
            if text.startswith("step 2"):
                # Permissions do not bind root; that a file is no directory does.
                policies.rmdir()
                policies.touch()

    with pytest.raises(RunError, match=r"training is done, but .* could not be written to the registry .*resume"):
        execute(folder, observer=Withdraws())
    assert json.loads((folder / "progress.json").read_text())["state"] == "failed"
    asked = len(server.prompts)
    policies.unlink()
    result = execute(folder)
    assert result.published == Registry(tmp_path / "registry").policy_path(tmp_path.name)
    assert len(server.prompts) == asked  # only published
