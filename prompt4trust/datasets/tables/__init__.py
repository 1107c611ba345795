"""Tables as files: their text, their cells, and the options that cells list."""
