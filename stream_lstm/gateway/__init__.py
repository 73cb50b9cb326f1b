"""HTTP for those who do not speak Kafka: the original service's REST, and a page to look at.

Sends commands and awaits replies like any other client; it never reaches into a worker, nor to Kafka itself.
"""
