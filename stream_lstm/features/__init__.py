"""Causal features of a candle series and their scaling.

Pure NumPy: arrays in, arrays out.
"""

from stream_lstm.features.feature_set import Features, FeatureSet

__all__ = ["FeatureSet", "Features"]
