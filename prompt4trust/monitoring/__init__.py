"""Monitoring of calibrated confidence: a test that may be looked at after every answer, and live figures."""

from prompt4trust.errors import StateError
from prompt4trust.monitoring.bets import CALIBRATION, OVERCONFIDENCE, PROMISE, Bet, Bets
from prompt4trust.monitoring.figures import LiveFigures, live_figures
from prompt4trust.monitoring.sequential import Crossing, DriftFinding, SequentialTest
from prompt4trust.monitoring.wealth import Wealth

__all__ = [
    "CALIBRATION",
    "OVERCONFIDENCE",
    "PROMISE",
    "Bet",
    "Bets",
    "Crossing",
    "DriftFinding",
    "LiveFigures",
    "SequentialTest",
    "StateError",
    "Wealth",
    "live_figures",
]
