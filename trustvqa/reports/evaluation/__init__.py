"""The page of an evaluation: what its figures come to, tables, diagrams, and the most confident errors."""
