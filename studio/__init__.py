"""The neural architecture studio: the public face."""
