"""Forms in which models write verdicts, put in plain ones before reading: labels, numerals, tables, abbreviations."""
