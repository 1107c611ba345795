"""From finished stages to artifacts: weights, figures measured on the weights as shipped, and cards."""

import random
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedTokenizerBase

from models.publishing import made_with, write_json
from models.recipe.artifacts import POLICY, save_downstream, save_policy
from models.recipe.cards import downstream_card, policy_card
from models.recipe.data.hints import relation
from models.recipe.data.rows import ask_foreign, ask_phantom
from models.recipe.data.text import ANSWER_TEMPLATE, GUIDE_TEMPLATE, answer_prompt, guide_prompt, lettered
from models.recipe.evaluate import KINDS, Exam, Figures, draw_exam, draw_hints, measure
from models.recipe.networks.architecture import SHIPPED
from models.recipe.plan import FAST
from models.recipe.stages import ON_DEMAND, STAGES, Workshop
from models.recipe.training.answers import cache_features, foreign_pixels
from models.recipe.training.decode import greedy_replies
from models.staged_runs import is_finished, read_records
from prompt4trust.datasets.phantoms import FAMILIES
from prompt4trust.prompts import PromptTemplate, load_template
from prompt4trust.verdict import Verdict, parse_verdict

TEST_SEED = 0
_EXAM = f"Phantom-VQA test split, seed {TEST_SEED}, first questions in order"


def publish(shop: Workshop, out: Path) -> None:
    """Write the artifacts, measure them as a user loads them, and write figures and cards beside them.

    The policy belongs to the first design's workshop, and is written from there alone, where its stage was run.

    Args:
        shop: a workshop whose stages are finished.
        out: folder that holds the artifacts' folders.
    """
    tokenizer, name = shop.tokenizer(), shop.design.name
    save_downstream(shop.downstream(tokenizer, "confidence_again"), tokenizer, out / name)
    model = _loaded(AutoModelForImageTextToText, out / name, shop.device)
    examiner = Examiner(shop, model, tokenizer, load_template(ANSWER_TEMPLATE))
    exam = examiner.exam()
    conditions = {**examiner.hint_conditions(exam), **examiner.form_conditions()}
    form = examiner.foreign_validity()
    provenance = _provenance(shop)
    write_json(
        out / name / "metrics.json",
        {
            "dataset": _EXAM,
            "conditions": {label: figures.as_json() for label, figures in conditions.items()},
            "valid_rate_foreign": form,
            **provenance,
        },
    )
    card = downstream_card(shop.design, model, conditions, form, provenance)
    (out / name / "card.md").write_text(card, encoding="utf-8")
    if is_finished(shop.folder, "policy") and shop.design is SHIPPED:
        _publish_policy(shop, examiner, exam.first(max(shop.plan.exam // 2, 1)), out / POLICY, provenance)
    shop.log(f"published to {out}")


def _publish_policy(shop: Workshop, examiner: "Examiner", exam: Exam, folder: Path, provenance: dict[str, Any]) -> None:
    tokenizer, guide = shop.tokenizer(), load_template(GUIDE_TEMPLATE)
    save_policy(shop.policy(tokenizer, "policy"), tokenizer, folder, guide)
    policy = _loaded(AutoModelForCausalLM, folder, shop.device)
    chosen = write_guidance(policy, tokenizer, guide, exam, shop.device)
    sampled = write_guidance(policy, tokenizer, guide, exam, shop.device, temperature=1.0, seed=shop.seed)
    guided = {
        "policy, greedy": examiner.measured(exam, chosen),
        "policy, sampled at temperature 1": examiner.measured(exam, sampled),
    }
    shares = {"greedy": hint_shares(exam, chosen), "sampled at temperature 1": hint_shares(exam, sampled)}
    write_json(
        folder / "metrics.json",
        {
            "dataset": _EXAM,
            "downstream": shop.design.name,
            "conditions": {label: figures.as_json() for label, figures in guided.items()},
            "hint_shares": shares,
            **provenance,
        },
    )
    (folder / "card.md").write_text(policy_card(policy, guided, shares, provenance), encoding="utf-8")


def _loaded(kind: Any, folder: Path, device: str) -> Any:
    return kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval().to(device)


class Examiner:
    """Measures a downstream model under many conditions."""

    def __init__(
        self, shop: Workshop, model: Any, tokenizer: PreTrainedTokenizerBase, template: PromptTemplate
    ) -> None:
        self._shop, self._model, self._tokenizer, self._template = shop, model, tokenizer, template
        self._n = shop.plan.exam

    def exam(self, n: int | None = None, **how: Any) -> Exam:
        """Draw an exam of the test split."""
        return draw_exam(n or self._n, TEST_SEED, "test", self._features, **how)

    def measured(self, exam: Exam, hints: list[str]) -> Figures:
        """Measure an exam with one hint a question."""
        return measure(self._model, self._tokenizer, self._template, exam, hints, self._shop.device)

    def hint_conditions(self, exam: Exam) -> dict[str, Figures]:
        """Measure every kind of hint, in wordings of training and in wordings kept out of it."""
        found = {}
        for kind in KINDS:
            for part in ("train", "held_out"):
                if kind in ("none", "odd") and part == "held_out":
                    continue
                full = kind == "none" or (kind == "fitting" and part == "held_out")
                own = exam if full else exam.first(max(self._n // 4, 1))
                label = kind if kind in ("none", "odd") else f"{kind}, {part.replace('_', ' ')}"
                found[label] = self.measured(own, draw_hints(own, kind, part, self._shop.seed))
                self._shop.log(f"{label}: {found[label].as_json()}")
        return found

    def form_conditions(self) -> dict[str, Figures]:
        """Measure other numbers of options and wordings of questions that training never used, without a hint."""
        n = max(self._n // 4, 1)
        exams = {f"none, {count} options": self.exam(n, options=count) for count in (2, 3, 5)}
        exams["none, rephrased question"] = self.exam(n, wordings="heldout")
        return {label: self.measured(exam, [""] * n) for label, exam in exams.items()}

    def foreign_validity(self) -> dict[str, float]:
        """Share of replies in the right form where nothing is as in training: pictures or options of another world."""
        rng, n = random.Random(f"{self._shop.seed} foreign"), max(self._n // 4, 1)
        features = self._features(foreign_pixels(n, self._shop.seed + 99))
        kinds = {
            "pictures that are no phantoms": [
                ask_phantom(rng, [rng.randrange(len(values)) for values in FAMILIES.values()]) for _ in range(n)
            ],
            "unknown questions and options": [ask_foreign(rng) for _ in range(n)],
        }
        rates = {}
        for label, questions in kinds.items():
            prompts = [answer_prompt(self._template, asked.question, lettered(asked.options)) for asked in questions]
            replies = greedy_replies(self._model, self._tokenizer, prompts, features, self._shop.device)
            verdicts = [
                parse_verdict(reply, list(lettered(asked.options)))
                for reply, asked in zip(replies, questions, strict=True)
            ]
            rates[label] = round(sum(isinstance(verdict, Verdict) for verdict in verdicts) / n, 4)
        return rates

    def _features(self, pixels: Any) -> torch.Tensor:
        return cache_features(self._model.model.visual, pixels, self._shop.device)


@torch.no_grad()
def write_guidance(
    policy: Any,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    exam: Exam,
    device: str,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """Let the policy write one hint a question.

    Args:
        policy: the policy model.
        tokenizer: the shared tokenizer, padding on the left.
        template: the policy's prompt template.
        exam: the questions.
        device: "cpu" or "cuda".
        temperature: 0 decodes greedily.
        seed: of the sampling.
    """
    torch.manual_seed(seed)
    prompts = [guide_prompt(template, asked.text, lettered(asked.options)) for asked in exam.questions]
    hints: list[str] = []
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    for start in range(0, len(prompts), 128):
        inputs = tokenizer(
            prompts[start : start + 128], return_tensors="pt", padding=True, add_special_tokens=False
        ).to(device)
        output = policy.generate(**inputs, max_new_tokens=40, **sampling)
        hints += tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return hints


def hint_shares(exam: Exam, hints: list[str]) -> dict[str, float]:
    """Share of hints by what they mean for their question: fitting, other, a generic family, or unknown."""
    counts: dict[str, int] = {}
    for hint, asked in zip(hints, exam.questions, strict=True):
        kind = relation(hint, asked.family)
        counts[kind] = counts.get(kind, 0) + 1
    return {kind: round(count / len(hints), 4) for kind, count in sorted(counts.items())}


def _provenance(shop: Workshop) -> dict[str, Any]:
    return {
        "recipe": {
            "command": f"python -m models.recipe --design {shop.design.name}"
            + (" --fast --out FOLDER" if shop.plan == FAST else ""),
            "seed": shop.seed,
            "device": shop.device,
            "stages": read_records(shop.folder, [name for name in STAGES if name not in ON_DEMAND]),
        },
        **made_with(),
    }
