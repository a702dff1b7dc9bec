"""The rows that a composition is made of: stems, stages, adapters and heads."""
