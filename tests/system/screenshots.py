"""The pictures of pages in docs/images, taken anew: `make screenshots`.

`python -m tests.system.screenshots calibration` asks the shipped miniatures about phantoms, reviews what they say and
takes the page of calibration. `... page` takes an answer and a deferral on the radiology pair's own samples, side by
side, and wants `TRUSTVQA_CONFIG=configs/radiology.yaml`.
"""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Final

import httpx
from PIL import Image
from playwright.sync_api import Page

from prompt4trust.datasets.phantoms.generator import samples
from prompt4trust.datasets.phantoms.rendering import render
from tests.support.browser import chromium
from tests.support.waiting import wait_until
from tests.system.conftest import ROOT, Stack, running_stack
from trustvqa.client import Client, VqaQuestion

IMAGES: Final = ROOT / "docs" / "images"
QUESTIONS: Final = 400
_LETTERS: Final = "ABCD"
_MARGIN, _GREY = 16, (243, 245, 244)
_SAMPLES: Final = ("CT, body part", "MR, a finding")
"""Labels of the page's samples, which bring their questions: one that is answered, and one that is left to a person."""


def calibration(stack: Stack) -> None:
    """Ask, review, and take the page /calibration."""
    asked, truths = [], {}
    for number, (scene, question) in enumerate(samples(QUESTIONS, 2027, "test")):
        file = BytesIO()
        Image.fromarray(render(scene)).save(file, "PNG")
        truths[f"q{number}"] = _LETTERS[question.answer]
        asked.append(VqaQuestion(file.getvalue(), question.text, list(question.options), f"q{number}"))
    with Client(stack.gateway) as client:
        for outcome in client.batch(asked, key="screenshots-of-the-docs", concurrency=16):
            result = outcome.unwrap()
            said = result.answer or result.guess
            truth = truths[str(outcome.id)]
            client.give_feedback(result.id, who="docs", right=said is not None and said.letter == truth)

    def reviewed() -> bool:
        found = httpx.get(f"{stack.gateway}/calibration.json", timeout=30).json()
        return bool(found["reviewed"] >= QUESTIONS)

    wait_until(reviewed, 60)
    with chromium(whole=True) as browser:
        page = browser.new_page(viewport={"width": 1170, "height": 900})
        page.goto(f"{stack.gateway}/calibration")
        # To the end of the figures: what follows tells of each stream.
        whole = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
        whole.crop((0, 0, whole.width, 1800)).save(IMAGES / "calibration.png", optimize=True)


def page(stack: Stack) -> None:
    """Ask about two of the page's samples, and put the cards side by side."""
    with chromium(whole=True) as browser:
        tab = browser.new_page(viewport={"width": 1170, "height": 900})
        cards = [_card(tab, stack.gateway, each) for each in _SAMPLES]
    height = min(card.height for card in cards)
    width = sum(card.width for card in cards) + _MARGIN * (len(cards) + 1)
    whole, left = Image.new("RGB", (width, height + _MARGIN), _GREY), _MARGIN
    for card in cards:
        whole.paste(card.crop((0, 0, card.width, height)), (left, _MARGIN))
        left += card.width + _MARGIN
    whole.save(IMAGES / "page.png", optimize=True)


def _card(tab: Page, gateway: str, sample: str) -> Image.Image:
    tab.goto(gateway)
    tab.locator("#samples button", has_text=sample).click()
    tab.locator("#submit").click()
    tab.locator("#result").wait_for(state="visible", timeout=60_000)
    return Image.open(BytesIO(tab.locator("#result").screenshot())).convert("RGB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, running_stack(Path(place)) as started:
        {"calibration": calibration, "page": page}[sys.argv[1]](started)
