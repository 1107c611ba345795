"""Questions whose right option is replaced by "None of the above": what calibrators make of the answers."""
