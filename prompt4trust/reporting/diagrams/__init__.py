"""Diagrams as inline SVG: plain numbers in, one <svg> element out, coloured by the page's style."""

from prompt4trust.reporting.diagrams.reliability import reliability_svg

__all__ = ["reliability_svg"]
