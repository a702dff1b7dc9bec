"""The options of the commands: what they are called, and how their values are read."""
