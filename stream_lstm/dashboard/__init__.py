"""What the dashboard shows: what the topics have said lately, kept in bounded memory, and as documents.

Reads candles, predictions, scores and events like any other reader. No HTTP, nothing of a worker's insides.
"""
