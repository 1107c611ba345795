"""Methods and scores of many samples at budgets of calls, all given the same samples of the same questions."""
