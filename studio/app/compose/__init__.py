"""The editor of a composition: its stages, and the menu of stage kinds."""
