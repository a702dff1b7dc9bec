"""Names for tensors and their dimensions, read from the source: `shape_comments` parses it,
`dim_names` names dimensions within one forward, `dim_letters` across a graph; `io_names` and
`purpose` stand alone."""
