"""Work that takes time: measurements, sweeps, layer times, memory plans, recommendations."""
