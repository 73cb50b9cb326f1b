"""The control topic, as a worker sees it: commands in, exactly one counting reply to each."""
