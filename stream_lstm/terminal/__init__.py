"""What a person sees in a terminal: the state behind the live view, and everything as text and tables.

Reads messages by their contracts and writes with rich. No Kafka, no clock of its own.
"""
