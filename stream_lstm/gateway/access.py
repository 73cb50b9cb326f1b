"""Who may change state: whoever knows the token, where there is one."""

import secrets
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from stream_lstm.gateway.envelope import Refused

_bearer = HTTPBearer(auto_error=False, description="`http.token`; needed where one is set.")


def _authorised(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Raises `Refused` without the right token. In constant time: how wrong it is shall not show."""
    token = request.app.state.token
    if token is None:
        return
    sent = given.credentials if given is not None else ""
    if not secrets.compare_digest(sent.encode(errors="replace"), token.encode()):
        why = "this changes state: send the header `Authorization: Bearer` with the value of http.token"
        raise Refused(401, "UNAUTHORIZED", why, {"WWW-Authenticate": "Bearer"})


AUTHORISED = Depends(_authorised)
"""For every endpoint that changes something."""
