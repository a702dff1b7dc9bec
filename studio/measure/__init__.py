"""Latency of an exported text, measured in a process of its own.

This room knows no design: it takes the text of a script and the names of two classes in it.
"""
