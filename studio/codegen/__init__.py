"""Write a design as one readable script. Read `script`, then `slice` (what the design uses)
and `source` (the files it comes from)."""
