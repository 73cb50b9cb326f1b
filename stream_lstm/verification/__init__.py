"""What was said, against what the engine alone says: the comparison, and the chaos that puts it to the test.

`messages`, `compare`, `recount`, `oracle`, `market` and `plan` are pure; only `judge`, `fleet` and `chaos`
know processes, files and Kafka.
"""
