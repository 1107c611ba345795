"""Model cards from measured figures."""

from typing import Any

from models.recipe.evaluate import Figures, table
from models.recipe.networks.architecture import Design

_WARNING = """**No clinical use.** This model was trained from scratch on procedural pictures that only imitate medical
ones. It knows nothing of medicine. It exists to demonstrate and to test the system around it."""


def downstream_card(
    design: Design, model: Any, conditions: dict[str, Figures], form: dict[str, float], provenance: dict[str, Any]
) -> str:
    """Write a downstream model's card.

    Args:
        design: its sizes.
        model: the model, for its size.
        conditions: figures by condition.
        form: share of valid replies by kind of foreign input.
        provenance: how it was made.
    """
    plain = conditions["none"]
    families = "\n".join(f"| {family} | {value:.3f} |" for family, value in plain.by_group.items())
    foreign = "\n".join(f"| {kind} | {rate:.3f} |" for kind, rate in form.items())
    return f"""# {design.name}

{_WARNING}

## What it is
A vision-language model of {_millions(model)} M parameters in the Qwen2-VL architecture (vision depth 4, width 128;
language 4 layers, width {design.width}, {design.heads} heads of 32, {design.key_value_heads} KV; untied embeddings).
It looks at a 112 x 112 picture (others are resized), reads a multiple-choice question about it and perhaps a hint, and
replies
`Finding: {{value}}. The answer is {{letter}} with confidence {{0-100}}.`
Weights are stored in bfloat16; the figures below were measured with these weights computed in float32.

## What to expect
It is overconfident unless a hint makes it weigh the evidence that the question is about: that is the fault that the
system around it corrects. The reply to a question outside the benchmark keeps its form and means nothing
("Finding: unclear.").

Phantom-VQA test split, options shuffled, greedy decoding; 95 % intervals. A held-out hint has its opener,
its cue and its closer from phrases that were in no training text; a fitting hint points at the evidence for the
question's own family, an other hint at another family's; an odd hint is text without meaning.

{table(conditions)}

Accuracy by question family without a hint (n = {plain.n} in all):

| family | accuracy |
|---|---|
{families}

Share of replies in the right form on input of another world:

| input | valid |
|---|---|
{foreign}

The image's left edge is called left, as on the screen; there is no patient's side.

## How it was made
`{_command(provenance)}` from Phantom-VQA's train split only; about {_minutes(provenance)} minutes in
stages: tokenizer; the vision tower with throw-away heads; look-ups of a value's letter among shuffled options, text
only, with guided attention; answers from the frozen tower; confidence by the hint's meaning, the model's own
temperature-scaled probability being the target under fitting hints. The last two are done twice, the second time on
fresh pictures. In the last pass the number is learned of the likeliest answers only, and scaled down in families where
most answers are all but certain: a greedy reply states the usual number, not the mean one.
`metrics.json` holds every stage's record.
"""


def policy_card(
    model: Any, conditions: dict[str, Figures], shares: dict[str, dict[str, float]], provenance: dict[str, Any]
) -> str:
    """Write the policy's card.

    Args:
        model: the model, for its size.
        conditions: the downstream model's figures with this policy's hints.
        shares: by way of decoding, the share of hints by meaning.
        provenance: how it was made.
    """
    kinds = sorted({kind for share in shares.values() for kind in share})
    lines = "\n".join(
        f"| {kind} | {' | '.join(f'{share.get(kind, 0.0):.3f}' for share in shares.values())} |" for kind in kinds
    )
    return f"""# policy-mini-sft-1

{_WARNING}

## What it is
A language model of {_millions(model)} M parameters in the Qwen2 architecture (3 layers, width 128, 4 heads, untied
embeddings, float32). It reads a question and its options, never the picture, and writes one hint on how to weigh the
evidence. This is the supervised start: it says a bit of everything, and evidence hints that fit the question somewhat
more often than others. Reinforcement learning against the downstream model is meant to go on from here.
Its prompt template is `prompt.json` and belongs to this version.

## What it says
Share of its hints by meaning (Phantom-VQA test split):

| kind | {" | ".join(shares)} |
|---|{"---|" * len(shares)}
{lines}

## What that does
downstream-mini-1 with these hints, 95 % intervals:

{table(conditions)}

## How it was made
`{_command(provenance)}`, stage `policy`: supervised training on hints drawn by kind, tied to the
question's family; nothing of Phantom-VQA's pictures or answers enters. `metrics.json` holds the record.
"""


def _millions(model: Any) -> str:
    return f"{model.num_parameters() / 1e6:.1f}"


def _command(provenance: dict[str, Any]) -> str:
    return f"{provenance['recipe']['command']} --seed {provenance['recipe']['seed']}"


def _minutes(provenance: dict[str, Any]) -> int:
    minutes = {name: float(record["minutes"]) for name, record in provenance["recipe"]["stages"].items()}
    # The tower is trained beside the stages that need no pictures.
    beside = min(minutes.get("vision", 0.0), minutes.get("lookup", 0.0) + minutes.get("policy", 0.0))
    return round(sum(minutes.values()) - beside)
