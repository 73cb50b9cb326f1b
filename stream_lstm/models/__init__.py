"""Forecasters in NumPy: layers, optimiser, training, and one file per model.

Pure: no clock, no I/O; every gradient exact, every fit a function of (candles, seed).
"""
