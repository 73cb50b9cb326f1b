"""Kafka: the worker and its parts. Only this room and `client` import a Kafka client."""
