"""Everything about one node. Read `node_details`, then `formulas` and `receptive_field`."""
