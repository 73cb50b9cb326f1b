"""The worker: from input partitions to predictions, scores and events, with nothing lost."""
