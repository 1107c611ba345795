"""Refits on drawn reviews, a share of which is wrong."""
