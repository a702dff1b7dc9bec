"""Latency of an exported text, measured in a process of its own.

This room knows no design: it takes the text of a script and the names of two classes in it.

The way of a question: a `Job` (sweep) asks round by round, and `Share`s of it (share) let several
sessions own one; its `Pace` (pace) tells how long it will take. Each round goes through a `Desk` to
the `Front` (front), where it is a `Ticket` that waits its turn, and from there to an `Engine`
(engine): a `Worker` (worker), which keeps one process (host) and sends it a `Task`, or a cluster
(cluster). In that process a `Specimen` is built from the text (specimen) and timed (clock); the
store keeps what came of it (store).
"""
