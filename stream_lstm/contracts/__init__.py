"""What crosses a topic or HTTP, as pydantic models. Imports nothing of ours."""
