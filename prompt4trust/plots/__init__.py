"""Diagrams as inline SVG: plain numbers in, one <svg> element out, coloured by the page's style (`markup.STYLE`)."""

from prompt4trust.plots.dots import dots_svg, gaps_svg, legend_svg, stated_svg
from prompt4trust.plots.histogram import confidence_histogram_svg
from prompt4trust.plots.history import history_svg
from prompt4trust.plots.reliability import reliability_svg
from prompt4trust.plots.risk_coverage import oracle_curve, random_curve, risk_coverage_svg

__all__ = [
    "confidence_histogram_svg",
    "dots_svg",
    "gaps_svg",
    "history_svg",
    "legend_svg",
    "oracle_curve",
    "random_curve",
    "reliability_svg",
    "risk_coverage_svg",
    "stated_svg",
]
