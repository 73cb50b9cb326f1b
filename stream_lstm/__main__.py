"""``python -m stream_lstm`` is ``stream-lstm``."""

from stream_lstm.cli import main

main()
