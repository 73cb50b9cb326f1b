"""One typed tree of settings: defaults < TOML file < STREAM_LSTM_* environment < command line.

Everything is checked here, before anything starts; the rest of the house takes what it needs as values.
"""

from stream_lstm.settings.description import Setting, describe
from stream_lstm.settings.sources import load
from stream_lstm.settings.tree import Settings

__all__ = ["Setting", "Settings", "describe", "load"]
