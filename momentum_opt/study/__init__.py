"""Study: search space, samplers, batched ask and tell, durable storage, replay (SPEC §11, §12)."""
