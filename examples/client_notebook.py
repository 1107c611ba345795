# %% [markdown]
# # The client in a notebook
# Cells in the percent format, which Jupyter (by jupytext), VS Code and PyCharm open. The gateway is that of `make up`,
# or the one that `$TRUSTVQA_URL` names. The pictures are Phantom-VQA's: made up, and of no clinical use.

# %%
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp

from prompt4trust.datasets import load_dataset
from prompt4trust.datasets.phantoms import generate
from trustvqa import Client, VqaQuestion

folder = Path(mkdtemp())
questions = load_dataset(generate(folder, 12, seed=7, split="test")).questions

# %% [markdown]
# ## One question

# %%
client = Client()
first = questions[0]
result = client.ask(first.image, first.text, first.options)
print(result)
print("calibrated:", result.calibration.calibrated, "| guarantee:", result.decision_basis.guarantee)

# %% [markdown]
# ## Many questions
# Outcomes come as they are done. Run the cell again, and the answers that were recorded come back at once.

# %%
asked = [VqaQuestion(each.image, each.text, each.options, each.id) for each in questions]
outcomes = {each.id: each.unwrap() for each in client.batch(asked, key="phantoms-of-the-notebook")}
print(Counter(each.decision for each in outcomes.values()))

# %% [markdown]
# ## How good were the answers?
# Deferred questions count as neither: `answer` is `None` there.

# %%
truth = {each.id: each.answer for each in questions}
answered = {name: each.answer.letter for name, each in outcomes.items() if each.answer is not None}
right = sum(truth[name] == letter for name, letter in answered.items())
print(f"{right} of {len(answered)} answers right, {len(outcomes) - len(answered)} left to a person")
client.close()
