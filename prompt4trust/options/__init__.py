"""Options of a question as people and programs write them: behind letters, in lists, and in the lines of a text."""
