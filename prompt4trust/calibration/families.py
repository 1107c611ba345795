"""The calibrator families by name: a new family is a module of its own and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from prompt4trust.calibration.base import Calibrator
from prompt4trust.calibration.beta import Beta
from prompt4trust.calibration.boosted import Boosted
from prompt4trust.calibration.correctness import Correctness
from prompt4trust.calibration.histogram import Histogram
from prompt4trust.calibration.identity import Identity
from prompt4trust.calibration.isotonic import Isotonic
from prompt4trust.calibration.platt import Platt, RawPlatt
from prompt4trust.calibration.several_signal import SeveralSignal
from prompt4trust.calibration.temperature import Temperature
from prompt4trust.calibration.two_signal import TwoSignal
from prompt4trust.calibration.venn_abers import VennAbers

_ALL: tuple[type[Calibrator], ...] = (
    *(Identity, Temperature, Platt, RawPlatt, Beta),
    *(TwoSignal, SeveralSignal, Correctness, Histogram, Isotonic, VennAbers, Boosted),
)
FAMILIES: Mapping[str, type[Calibrator]] = MappingProxyType({family.family: family for family in _ALL})
"""Name -> calibrator class, from the simplest (no free number) to the least simple (a curve of any shape, two of
them, steps of all signals together): where two are equally good, the earlier one is preferred."""


def get_family(name: str) -> type[Calibrator]:
    """Look a calibrator family up by its name.

    Args:
        name: One of `FAMILIES`.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> get_family("platt")
        <class 'prompt4trust.calibration.platt.Platt'>
    """
    try:
        return FAMILIES[name]
    except KeyError:
        raise ValueError(f"unknown calibrator family {name!r}; there are {', '.join(FAMILIES)}") from None
