"""Training beside the worker: the queue of what is due, and the processes that do it."""
