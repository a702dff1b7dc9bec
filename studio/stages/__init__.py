"""The parts of a composition: stems, stages, adapters and heads."""
