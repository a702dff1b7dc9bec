"""The state of a page as one immutable value: its link, its history, and its widgets."""
