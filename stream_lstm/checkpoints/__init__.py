"""The state of a partition, kept in the object store so that a restart need not read the year again."""
