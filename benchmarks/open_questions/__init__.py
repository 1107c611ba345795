"""Open questions end to end: calibrated, evaluated, guarded by the product's commands, and asked of a gateway."""
