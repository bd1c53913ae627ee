"""Simulation (SPEC §8, §9): prices and candidates in, values or reserves out; every engine, and the minute rebuild."""
