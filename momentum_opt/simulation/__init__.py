"""Simulation: price moments, the closed form, sums inside chunks, minute rebuild (SPEC §8)."""
