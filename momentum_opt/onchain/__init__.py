"""From a tuned pool to the chain (SPEC §14): the contract in integers, deployment values, rehearsal, next weights."""
