"""How long an answer takes beside one call of the downstream model: with guidance from the cache, and without."""
