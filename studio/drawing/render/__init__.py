"""Renderers: a laid-out graph as SVG, print SVG, PNG, DOT or one HTML file; small line charts."""
