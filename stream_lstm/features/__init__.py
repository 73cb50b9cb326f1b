"""Causal features of a candle series and their scaling.

Pure NumPy: arrays in, arrays out.
"""
