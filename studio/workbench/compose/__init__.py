"""Compositions as a user edits them: stages that may not fit yet, and fixes for those."""
