"""Metrics (SPEC §10) and the objective of a trial (§11): value paths in, numbers out; higher is always better."""
