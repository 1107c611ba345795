"""Short answers that say the same in other words, and such that look alike and do not: pairs of our own."""
