"""What forecasts are worth: walk-forward backtest, references, metrics. Pure: candles in, numbers out."""
