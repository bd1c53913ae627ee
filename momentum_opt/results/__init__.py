"""Results: run folder, best.json, tables (SPEC §15)."""
