"""Commands that evaluate: runs over a data set, what they came to, and the runs of a trainer."""
