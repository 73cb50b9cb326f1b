"""Live forecasting on a candle stream: candles from Kafka in, predictions with honest intervals out."""
