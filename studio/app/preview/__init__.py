"""What the page shows while a hand moves a slider, by a table of the slider's values.

A knob panel tells of the hand by events of the document. The value table answers each with the
landing at that value, an event too, which cards, charts, graph and panel show. All of them go back
to what the server says once it has applied the move.
"""
