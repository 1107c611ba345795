"""Forms in which models write verdicts, beside the plain ones.

Languages, numerals, tables and bare pairs are put in plain forms before reading; answers that are claimed by an
option's text, or by a letter within a sentence, are looked for where none is announced.
"""
