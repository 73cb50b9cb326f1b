"""The engine: closed candles in; predictions, scores, events and training requests out.

Pure: the same code runs live and in a backtest; time is an argument.
"""
