"""From an exchange into the input topic: history, and what closes from now on. Puts `exchange` and
`streaming` together, which do not know each other; what is published next is decided in `candles`.
"""
