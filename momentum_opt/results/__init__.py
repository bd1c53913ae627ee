"""Results: run folder, best.json, evidence.json, tables (SPEC §15), and the report (§16)."""
