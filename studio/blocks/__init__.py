"""Layers that two or more families share. They take plain arguments and know no config."""
