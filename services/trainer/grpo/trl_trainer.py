"""TRL's GRPOTrainer, set up for a run and let go."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset as Rows
from huggingface_hub import snapshot_download
from transformers import AutoTokenizer, PrinterCallback
from trl.trainer.grpo_trainer import GRPOTrainer

from prompt4trust.datasets import Dataset
from prompt4trust.prompts import guide_messages
from prompt4trust.questions import Question
from services.trainer.grpo.arguments import build_adapters, build_arguments
from services.trainer.grpo.callbacks import CheckpointKeeper, Recorder, Stopper
from services.trainer.grpo.checkpoints import step_of
from services.trainer.grpo.connection import open_client
from services.trainer.grpo.data import DataError, by_id, draw_order, training_rows
from services.trainer.grpo.reward_function import DownstreamReward

if TYPE_CHECKING:
    from services.trainer.grpo.attempt import Attempt


def pick_device(device: str) -> str:
    """Name the device in torch's words."""
    return "cuda" if device == "auto" and torch.cuda.is_available() else "cpu"


def learn(run: Attempt, train: Dataset, checkpoint: Path | None) -> None:
    """Train to the last step, or until the run is stopped; every checkpoint is evaluated.

    Args:
        run: The run.
        train: Questions to learn from.
        checkpoint: Where to go on from, or None to begin.
    """
    config = run.config
    output = run.folder / "checkpoints"
    arguments = build_arguments(config, output)
    tokenizer = _tokenizer(run.start.source)
    questions = _short_enough(train.questions, run.start.template, tokenizer, config.rollout.max_prompt_tokens)
    completions = arguments.generation_batch_size or config.update.per_device_train_batch_size
    prompts = completions // config.rollout.num_generations
    order = draw_order(len(questions), config.update.max_steps // config.update.num_iterations * prompts, config.seed)
    rows = Rows.from_list(training_rows(questions, order, run.start.template))

    recorder = Recorder(run.journal, run.observer)
    http, client = open_client(run.connection, config.answer, run.key)
    reward: Any = DownstreamReward(
        run.scorer(client),
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
            CheckpointKeeper(output, run.assess, run.stop.is_set),
        ],
    )
    trainer.remove_callback(PrinterCallback)
    try:
        if trainer.is_world_process_zero():
            if checkpoint is None:
                run.assess_start(_local(run.start.source))
            elif step_of(checkpoint) not in run.journal.evaluations():
                run.assess(checkpoint)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    finally:
        asyncio.run_coroutine_threadsafe(http.aclose(), trainer.async_loop).result()


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
