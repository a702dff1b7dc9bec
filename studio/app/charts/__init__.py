"""Charts and comparison tables as plotly specifications and HTML."""
