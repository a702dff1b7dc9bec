"""The interactive layer graph: component, colouring, node details, table, and downloads."""
