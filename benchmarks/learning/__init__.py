"""Gains of a learned policy, on questions that neither training nor any choice saw."""
