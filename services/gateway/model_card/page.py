"""The page at /model-card."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.gateway.model_card.schemas import CardFigure, ModelCard
from trustvqa.reports.rendering import render

_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class ModelCardPage:
    """View model of model-card.html."""

    title: str
    card: ModelCard
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def figure(shown: CardFigure) -> list[str]:
        """Cells of a figure's row."""
        interval = "unknown" if shown.low is None or shown.high is None else f"{shown.low:.3f} to {shown.high:.3f}"
        n = "unknown" if shown.n is None else str(shown.n)
        return [
            shown.subject,
            shown.condition,
            shown.name,
            f"{shown.value:.3f}",
            interval,
            n,
            shown.dataset or "unknown",
        ]


def render_card(card: ModelCard) -> str:
    """Write the card as HTML."""
    return render("model-card.html", ModelCardPage("Model card", card), _TEMPLATES)
