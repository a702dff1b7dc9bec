"""Layered layout of nested blocks, after Sugiyama, Tagawa and Toda 1981, with the phases of ELK
(Eclipse Layout Kernel, https://eclipse.dev/elk/reference/algorithms/org-eclipse-elk-layered.html).

`layered.layout` turns a graph into a `Picture`. It lays out each open block on its own, from the
innermost outwards, through a chain of frozen values, one pure function a phase:

1. `ranking.rank_block`: Block -> Ranked. Vertices are ranked by the longest path; residuals, skips
   and feedback become bypasses; dummy vertices cut long edges into links of one row.
2. `ordering.order_rows`: Ranked -> Ordered. The barycentre method orders each row so that few links
   cross, and each bypass gets a side. The open children are laid out here, since the order of
   their input ports follows from it.
3. `placement.place`: Ordered + BlockContent -> Placed. Each vertex gets its x by isotonic
   regression; chains are straightened; bypasses get lanes at the sides.
4. `routing.route`: Placed -> Routed. Lines that run sideways between two rows get tracks (channel
   routing, Hashimoto and Stevens 1971).

`block_layout.lay_out_block` runs phases 3 and 4 and computes coordinates: Routed -> BlockLayout.
`u_shape` replaces phases 2 to 4 for a chain with nested skips, such as a U-Net. `block_graph` and
`geometry` hold the values between the phases, `box_text` the texts on a box and their sizes.
"""
