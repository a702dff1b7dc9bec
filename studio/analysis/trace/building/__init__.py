"""Build a model on the meta device, in milliseconds: equal modules are built once, then copied."""
