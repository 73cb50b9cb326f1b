"""`lstm`: an LSTM over the last 20 candles on the residual of `har`. The default."""

from typing import Final

from stream_lstm.models import residual
from stream_lstm.models.lstm_layer import LstmEncoder
from stream_lstm.models.lstm_rows import LstmReading

NAME: Final = "lstm"
HIDDEN: Final = 32

NETWORK: Final = residual.Residual(NAME, HIDDEN, LstmEncoder, LstmReading)
