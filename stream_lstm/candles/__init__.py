"""What comes in: decoders, the close rule, CSV files, the synthetic market.

Pure: no I/O but files given by path, no clock, no Kafka.
"""
