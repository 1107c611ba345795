"""Tests of rewards by HTTP."""
