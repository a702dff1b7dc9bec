"""One module per view (Explore, Compose, Architect, Compare), and the frame that they share."""
