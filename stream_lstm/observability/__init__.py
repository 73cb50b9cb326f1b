"""Metric definitions, each declared once; health and /metrics; logging."""
