"""HTTP as every service speaks it: application, problem documents, health, bounded bodies, telemetry."""
