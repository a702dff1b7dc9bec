"""Write a design as one readable script. Read `script`, then `slice` (what the design runs on)
and `source` (the files it comes from)."""
