"""Results as FHIR bundles, of R4B and R5."""
