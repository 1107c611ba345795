"""Diagrams: plain numbers in, one self-contained <svg> out, light or dark as the reader's screen, without a script.

A drawing can be saved as a file of its own or put into any page. A page of many holds the `rules` of their style once,
and takes each drawing `unstyled`.
"""

from prompt4trust.plots.dots import Triple, dots_svg, gaps_svg, legend_svg, stated_svg
from prompt4trust.plots.histogram import confidence_histogram_svg
from prompt4trust.plots.history import history_svg
from prompt4trust.plots.reliability import reliability_svg
from prompt4trust.plots.risk_coverage import oracle_curve, random_curve, risk_coverage_svg
from prompt4trust.plots.style import DARK, LIGHT, rules, unstyled

__all__ = [
    "DARK",
    "LIGHT",
    "Triple",
    "confidence_histogram_svg",
    "dots_svg",
    "gaps_svg",
    "history_svg",
    "legend_svg",
    "oracle_curve",
    "random_curve",
    "reliability_svg",
    "risk_coverage_svg",
    "rules",
    "stated_svg",
    "unstyled",
]
