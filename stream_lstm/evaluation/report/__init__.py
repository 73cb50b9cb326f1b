"""The verdict of a backtest as one HTML file that needs nothing else. It shows numbers and makes none."""
