"""A small policy for real questions, taught and then reinforced: `make radiology-policy`.

A step of a policy of 135 M parameters takes longer than the replies that it learns from. This one has the
miniature's 0.8 M, and is taught one hint of each family: the replies to a question with each of these are all that its
learning asks for, whatever the seed.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from models.radiology.bench import Bench, Exam, open_bench
from models.radiology.data.hints import EVIDENCE, family_of, fixed_hints
from models.radiology.data.questions import Asked, of_split, read_questions
from models.radiology.export import halves
from models.radiology.guidance import outcome
from models.radiology.publish import NAME
from models.radiology.training.loop import LoopSettings
from models.radiology.training.policy import GUIDE_TEMPLATE, hint_shares, train_policy
from models.radiology.workshop import OPTION_ORDER
from models.recipe.networks.architecture import new_policy
from models.recipe.networks.tokenizer import train_tokenizer
from models.staged_runs import begin_training, folders
from prompt4trust.files import write_atomically
from prompt4trust.prompts import guide_messages, load_template
from services.common.engine.parts.store import PartStore
from services.common.registry.policy_template import TEMPLATE_FILE

FITTING_SHARE = 0.65
"""Of the hints that the start is taught: learning can only strengthen what is sometimes said."""
TAUGHT = LoopSettings(240, batch=24, adapter_rate=2e-3, warmup=20, check_from=120, check_every=60)
VOCABULARY = 1200
SHIPPED = Path(__file__).resolve().parents[1] / NAME


@dataclass(frozen=True, slots=True)
class Reinforcement:
    """Length of the reinforcement.

    Attributes:
        steps: Of the optimizer.
        every: Steps between two checkpoints.
        questions: A step learns from, each with eight hints.
    """

    steps: int = 60
    every: int = 15
    questions: int = 8


FULL = Reinforcement()


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a whole run.

    Attributes:
        taught: How the start is trained.
        learn: Questions to learn from, of the calibrators' fitting half.
        validation: Validation questions that choose a checkpoint.
        seeds: Of the reinforcement.
        length: Of each reinforcement.
    """

    taught: LoopSettings = TAUGHT
    learn: int = 40
    validation: int = 80
    seeds: tuple[int, ...] = (1, 2, 3)
    length: Reinforcement = FULL


WHOLE = Plan()
FAST = Plan(
    LoopSettings(2, batch=4, adapter_rate=2e-3, warmup=1, check_from=1, check_every=1),
    learn=3,
    validation=2,
    seeds=(1,),
    length=Reinforcement(1, 1, 1),
)
"""A handful of questions and steps, which test the machinery."""


def mixed_hint(asked: Asked, rng: random.Random) -> str:
    """Draw one of the fixed hints: mostly the one that fits a question."""
    hints = fixed_hints()
    if rng.random() < FITTING_SHARE:
        hints = [hint for hint in hints if family_of(hint) == EVIDENCE[asked.kind]]
    return rng.choice(hints)


def teach(train: Sequence[Asked], held: Sequence[Asked], to: Path, log: Any, settings: LoopSettings = TAUGHT) -> None:
    """Train the start on hints alone, and save it as a policy version.

    Args:
        train: Questions; no picture, answer or reply enters.
        held: Questions about other pictures, for the loss.
        to: The version's directory.
        log: Takes lines of progress.
        settings: Length and step size.
    """
    template = load_template(GUIDE_TEMPLATE)
    rng = random.Random("vocabulary")
    shown = [guide_messages(template, each.text, each.lettered)[-1]["content"] for each in train]
    tokenizer = train_tokenizer([*map(str, shown), *(mixed_hint(each, rng) for each in train)], VOCABULARY)
    torch.manual_seed(1)
    model = new_policy(tokenizer)
    to.mkdir(parents=True, exist_ok=True)
    train_policy(model, tokenizer, template, train, held, settings, 1, to / "model.safetensors", log, mixed_hint)
    _save(model, tokenizer, to)


def reinforce(
    start: Path, asked: Sequence[Asked], reward: Any, out: Path, seed: int, length: Reinforcement = FULL
) -> list[Path]:
    """Improve a policy by GRPO, as TRL has it, with the settings that trained the miniature's.

    Args:
        start: The policy's directory.
        asked: Questions to learn from.
        reward: Texts and the questions' ids -> rewards.
        out: Folder of the checkpoints.
        seed: Of the sampling and the questions' order.
        length: Of the run.

    Returns:
        The checkpoints, policy versions all.
    """
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    template = load_template(GUIDE_TEMPLATE)
    wanted = length.steps * length.questions
    rng = random.Random(f"order {seed}")
    order: list[Asked] = []
    while len(order) < wanted:
        order += rng.sample(list(asked), len(asked))
    rows = [
        {"prompt": guide_messages(template, each.text, each.lettered), "question_id": each.id}
        for each in order[:wanted]
    ]
    arguments = GRPOConfig(
        output_dir=str(out), seed=seed, use_cpu=True, bf16=False, report_to=[], disable_tqdm=True, logging_steps=5,
        shuffle_dataset=False, dataloader_pin_memory=False, model_init_kwargs={"dtype": "float32"},
        num_generations=8, per_device_train_batch_size=8 * length.questions, max_completion_length=32, temperature=1.0,
        max_steps=length.steps, save_steps=length.every, save_strategy="steps", learning_rate=6e-4,
        lr_scheduler_type="constant_with_warmup", warmup_steps=5, beta=0.06, epsilon=0.2, scale_rewards="batch",
        loss_type="dapo", num_iterations=1, max_grad_norm=1.0, gradient_checkpointing=False,
    )  # fmt: skip

    def scored(completions: Sequence[Any], question_id: Sequence[str], **_: Any) -> list[float | None]:
        return list(reward([_text(each) for each in completions], question_id))

    trainer = GRPOTrainer(
        model=str(start), reward_funcs=[scored], args=arguments, train_dataset=Dataset.from_list(rows)
    )
    trainer.train()
    found = sorted(out.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in found:
        shutil.copy2(start / TEMPLATE_FILE, path / TEMPLATE_FILE)
    return found


def rewards_of(bench: Bench, exam: Exam, places: Sequence[int], hints: Sequence[str]) -> list[float]:
    """Ask the downstream model questions of an exam, by their places, with a hint each: the log score of each."""
    part = exam.part(places)
    return list(outcome([reply.text for reply in bench.greedy(part, hints)], part.asked).rewards)


def judged(bench: Bench, judges: Exam, version: Path) -> dict[str, Any]:
    """Give the mean reward of a policy version's hints for an exam, and the shares of what these are about."""
    hints = bench.writer(version)(judges.asked)
    rewards = rewards_of(bench, judges, range(len(judges.asked)), hints)
    return {"reward": round(float(np.mean(rewards)), 4), **hint_shares(judges.asked, hints)}


def learned(
    bench: Bench, exam: Exam, judges: Exam, start: Path, work: Path, seeds: Sequence[int], length: Reinforcement = FULL
) -> dict[str, Any]:
    """Reinforce a start by each seed, and choose each one's checkpoint by mean reward on other pictures.

    Args:
        bench: Asks the downstream model.
        exam: Questions to learn from.
        judges: Questions that choose.
        start: The policy's directory.
        work: Gets `reinforced-<seed>`, the chosen checkpoint of each.
        seeds: Of the sampling.
        length: Of each run.

    Returns:
        Mean reward and kinds of hints of the start and of each checkpoint, which is the best, and whether it improves
        on the start: where it does not, nothing would be published.
    """
    place_of = {each.id: place for place, each in enumerate(exam.asked)}

    def reward(texts: Sequence[str], ids: Sequence[str]) -> list[float]:
        return rewards_of(bench, exam, [place_of[name] for name in ids], texts)

    told = judged(bench, judges, start)
    bench.log(f"start {told}")
    found: dict[str, Any] = {
        "learned_from": len(exam.asked),
        "chosen_on": len(judges.asked),
        "start": told,
        "seeds": {},
    }
    for seed in seeds:
        versions = reinforce(start, exam.asked, reward, work / f"seed{seed}", seed, length)
        tried = {path.name: judged(bench, judges, path) for path in versions}
        best = max(tried, key=lambda name: float(tried[name]["reward"]))
        improves = bool(tried[best]["reward"] > told["reward"])
        found["seeds"][str(seed)] = {"checkpoints": tried, "best": best, "improves": improves}
        bench.log(f"seed {seed}: {best}, {tried[best]}, improves: {improves}")
        chosen = work / f"reinforced-{seed}"
        shutil.rmtree(chosen, ignore_errors=True)
        shutil.copytree(
            work / f"seed{seed}" / best, chosen, ignore=shutil.ignore_patterns("optimizer*", "rng*", "sched*")
        )
    return found


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD.")],
    shipped: Annotated[Path, typer.Option(help="The downstream model's directory.")] = SHIPPED,
    parts: Annotated[
        Path | None, typer.Option(help="Where the frozen parts lie; by default in the work folder.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Folder of the policies.")] = None,
    book: Annotated[
        Path | None, typer.Option(help="File of replies that were given already, by default in --work; grows.")
    ] = None,
    learn: Annotated[int | None, typer.Option(min=8, help=f"Questions to learn from ({WHOLE.learn}).")] = None,
    validation: Annotated[int | None, typer.Option(min=20, help=f"Questions that choose ({WHOLE.validation}).")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seeds of the reinforcement (1, 2 and 3).")] = None,
    steps: Annotated[int | None, typer.Option(min=FULL.every, help=f"Of each reinforcement ({FULL.steps}).")] = None,
    only_teach: Annotated[bool, typer.Option(help="Make the start, and ask the downstream model nothing.")] = False,
    fast: Annotated[
        bool, typer.Option(help="A handful of questions and steps: tests the machinery, in its own folder.")
    ] = False,
) -> None:
    """Teach, reinforce by each seed, choose checkpoints on validation, and write what each gave as JSON.

    Nothing is published. A run that was broken asks nothing anew that it has a reply to.
    """
    plan = FAST if fast else WHOLE
    plan = replace(
        plan,
        learn=learn or plan.learn,
        validation=validation or plan.validation,
        seeds=tuple(seed or plan.seeds),
        length=replace(plan.length, steps=steps or plan.length.steps),
    )
    work, _ = folders(work, None, Path("build/radiology-policy"), shipped, fast=fast, publishes=False)
    log, store = begin_training(), PartStore(parts or work / "parts")
    everything = read_questions(data, OPTION_ORDER)
    start, of_validation = work / "supervised", of_split(everything, "validation")
    if not (start / TEMPLATE_FILE).is_file():
        teach(of_split(everything, "train"), of_validation, start, log, plan.taught)
    if only_teach:
        return
    bench = open_bench(shipped, store, log, book or work / "replies.jsonl")
    fitting, _ = halves(of_split(everything, "calibration"))
    exam = bench.exam(random.Random("learn").sample(fitting, plan.learn), data)
    judges = bench.exam(random.Random("gate").sample(of_validation, plan.validation), data)
    found = learned(bench, exam, judges, start, work, plan.seeds, plan.length)
    write_atomically(work / "reinforced.json", json.dumps(found, indent=2) + "\n")


def _save(model: Any, tokenizer: Any, to: Path) -> None:
    model.save_pretrained(to)
    tokenizer.save_pretrained(to)
    write_atomically(to / TEMPLATE_FILE, load_template(GUIDE_TEMPLATE).model_dump_json(indent=2) + "\n")


def _text(completion: Any) -> str:
    return str(completion if isinstance(completion, str) else completion[0]["content"]).strip()


if __name__ == "__main__":
    typer.run(main)
