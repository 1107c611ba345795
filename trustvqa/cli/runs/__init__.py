"""Commands that evaluate and train: runs over a data set, and the reports of what they came to."""
