"""TRL's GRPOTrainer, set up for a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState
from datasets import Dataset as Rows
from huggingface_hub import snapshot_download
from transformers import AutoTokenizer, PrinterCallback
from trl.trainer.grpo_trainer import GRPOTrainer

from prompt4trust.datasets import Dataset
from prompt4trust.prompts import guide_messages
from prompt4trust.questions import Question
from services.trainer.errors import DataError
from services.trainer.grpo.checkpoints.assessment import Assessor
from services.trainer.grpo.checkpoints.seals import step_of
from services.trainer.grpo.config.curriculum_config import CurriculumConfig
from services.trainer.grpo.context import RunContext
from services.trainer.grpo.learning.arguments import build_adapters, build_arguments
from services.trainer.grpo.learning.callbacks import CheckpointKeeper, Recorder, Stopper
from services.trainer.grpo.learning.curriculum import draw_by_difficulty, draw_order
from services.trainer.grpo.learning.difficulty import measure_difficulty
from services.trainer.grpo.learning.reward_function import DownstreamReward
from services.trainer.grpo.learning.training_data import by_id, training_rows


def learn(run: RunContext, assessor: Assessor, train: Dataset, checkpoint: Path | None) -> None:
    """Train to the last step, or until the run is stopped; every checkpoint is evaluated.

    Args:
        run: The run.
        assessor: Evaluates its checkpoints.
        train: Questions to learn from.
        checkpoint: The checkpoint to go on from, or None to begin.
    """
    config = run.config
    output = run.checkpoints
    arguments = build_arguments(config, output)
    tokenizer = _tokenizer(run.start.source)
    questions = _short_enough(train.questions, run.start.template, tokenizer, config.rollout.max_prompt_tokens)
    completions = arguments.generation_batch_size or config.update.per_device_train_batch_size
    prompts = completions // config.rollout.num_generations
    order = draw_order(len(questions), config.update.max_steps // config.update.num_iterations * prompts, config.seed)
    difficulty: Mapping[str, float | None] = {}
    if config.curriculum is not None:
        questions = tuple(questions[index] for index in sorted(set(order)))  # only those that the run will see
        with PartialState().main_process_first():
            measured = measure_difficulty(run, config.curriculum, questions, begun=checkpoint is not None)
        if measured is None:
            return  # stopped meanwhile
        difficulty = measured
        order = draw_by_difficulty(
            [difficulty[question.id] for question in questions],
            len(order) // prompts,
            prompts,
            partial(_share, config.curriculum, config.update.num_iterations),
            hard_first=config.curriculum.first == "hard",
            seed=config.seed,
        )
    rows = Rows.from_list(training_rows(questions, order, run.start.template))

    recorder = Recorder(run.journal, run.observer, difficulty)
    http, scorer = run.open_scorer()
    reward: Any = DownstreamReward(
        scorer,
        by_id(questions),
        recorder.scored,
        max_lost_share=config.answer.max_lost_share,
        lost_window=config.answer.lost_window,
        seed=config.seed,
    )
    trainer = GRPOTrainer(
        model=run.start.source,
        reward_funcs=[reward],
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=build_adapters(config.update.lora),
        callbacks=[
            recorder,
            Stopper(run.stop.is_set, config.update.num_iterations),
            CheckpointKeeper(output, assessor.assess, run.stop.is_set),
        ],
    )
    trainer.remove_callback(PrinterCallback)
    try:
        if trainer.is_world_process_zero():
            if checkpoint is None:
                assessor.assess_start(_local(run.start.source))
            elif step_of(checkpoint) not in run.journal.evaluations():
                assessor.assess(checkpoint)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    finally:
        asyncio.run_coroutine_threadsafe(http.aclose(), trainer.async_loop).result()


def _share(curriculum: CurriculumConfig, iterations: int, batch: int) -> float:
    return curriculum.share(batch * iterations)


def _tokenizer(source: str) -> Any:
    untyped: Any = AutoTokenizer
    tokenizer = untyped.from_pretrained(source, padding_side="left", truncation_side="left")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _local(source: str) -> Path:
    return Path(source) if Path(source).is_dir() else Path(snapshot_download(source))


def _short_enough(
    questions: tuple[Question, ...], template: Any, tokenizer: Any, limit: int | None
) -> tuple[Question, ...]:
    if limit is None:
        return questions
    kept = tuple(
        question
        for question in questions
        if len(
            tokenizer.apply_chat_template(
                guide_messages(template, question.text, question.options), add_generation_prompt=True, return_dict=True
            )["input_ids"]
        )
        <= limit
    )
    if not kept:
        raise DataError(f"every question's prompt is longer than {limit} tokens")
    return kept
