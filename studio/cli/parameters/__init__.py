"""The options of the commands: their names, and the parsing of their values."""
