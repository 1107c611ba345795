"""From a question and a safe picture to an answer whose confidence is what it says it is."""
