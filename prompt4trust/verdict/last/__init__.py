"""The last reading: of replies that no form fits, by all that they say."""
