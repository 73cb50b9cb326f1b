"""How endpoints come by the client that asks the workers."""

from typing import Annotated

from fastapi import Depends, Request

from stream_lstm.client import ModelAdmin


def _admin_of(request: Request) -> ModelAdmin:
    admin: ModelAdmin = request.app.state.admin
    return admin


Admin = Annotated[ModelAdmin, Depends(_admin_of)]
"""Who asks the workers."""
