"""The demo: Kafka, topics, a worker and a market on one machine, and what came of it.

Puts parts of other rooms together; nothing imports it but the command line.
"""
