"""Dead letters: how one is written, and what people do with them: show them, replay them."""
