"""The model card as programs get it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.common.http.openapi.quantities import Count


class CardItem(BaseModel):
    """A statement of the card.

    Attributes:
        name: What it is about.
        value: What is known of it; None where nothing is.
        source: Where that comes from: a file of the registry, a setting, or the software.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    value: str | None
    source: str


class CardFigure(BaseModel):
    """A measured figure.

    Attributes:
        subject: What was measured: a calibrator or a policy version.
        name: The metric, as reports name it.
        value: The figure.
        low: Lower end of its interval of 95 %; None where none was recorded.
        high: Upper end of it.
        n: Answers that it was measured on; None where that was not recorded.
        dataset: Name of the data; None where that was not recorded.
        condition: Before or after what it was measured.
        source: The registry's file that says so.
    """

    model_config = ConfigDict(frozen=True)

    subject: str
    name: str
    value: float
    low: float | None
    high: float | None
    n: Count | None
    dataset: str | None
    condition: str
    source: str


class CardSection(BaseModel):
    """A section of the card.

    Attributes:
        id: Its name for programs.
        heading: Its heading for people.
        items: Its statements.
        figures: Its figures.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    heading: str
    items: list[CardItem]
    figures: list[CardFigure] = []


class ModelCard(BaseModel):
    """The card of the models that answer now.

    Attributes:
        made: When the card was made: it is of that moment.
        downstream: Name of the downstream model.
        policy: The live policy version, or None.
        answer_template: The wording.
        sections: What is known, and what is not.
    """

    model_config = ConfigDict(frozen=True)

    made: datetime
    downstream: str
    policy: str | None
    answer_template: str
    sections: list[CardSection]
