"""What a policy learned, on questions that neither training nor any choice saw."""
