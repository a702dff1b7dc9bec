"""What a picture of a network is made of, and how it is laid out and drawn. Knows no torch."""
