"""The graph of a network as a picture: the values to draw (`graph`, `decoration`, `figure`), their
layout, the renderers and the interactive viewer. Does not import torch."""
