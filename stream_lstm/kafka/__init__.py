"""Kafka: connections, groups, producers, topics and rights, as everything above them needs them."""
