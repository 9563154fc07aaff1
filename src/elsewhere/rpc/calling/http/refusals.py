"""Replies that are no answers, as exceptions: what the far side is, in a sentence, and which address to try."""

from __future__ import annotations

from http import HTTPStatus

from elsewhere.errors import ElsewhereError, MayHaveRun, MessageTooLarge, NeverStarted, ProtocolError, Unauthorized
from elsewhere.rpc.calling.http.bodies import Body
from elsewhere.rpc.calling.http.reply import Reply
from elsewhere.transport.address import Address

__all__ = ["refused", "unspoken"]

SHOWN = 200  # characters of what the far side says
# What is said of a request that is not for this place: nothing has run.
ELSEWHERE = {400, 404, 405, 406, 410, 411, 415, 421, 422, 426, 501, 505}
NOT_NOW = {408, 425, 429, 503}  # it was not begun, if one of our own services says so


def refused(method: str, target: Address, body: Body, reply: Reply, *, ours: bool) -> ElsewhereError:
    """The exception for a status that is none of success, whose body is no answer.

    Args:
        method: what was called.
        target: where.
        body: what was spoken.
        reply: it.
        ours: the far side is one of our own services.
    """
    status = reply.status
    where = f"{method} at {target}"
    said = f"{status} {_phrase(reply)}"
    text = _text(reply)
    if text:
        said = f"{said}: {text}"
    if status in {401, 403, 407}:
        return Unauthorized(f"{where} was refused ({said})")
    if status == 413:
        return MessageTooLarge(f"{where}: the far side does not take so much ({said})")
    if ours and status in NOT_NOW:
        return NeverStarted(f"{where} was not begun ({said})")
    if 300 <= status < 400:
        location = _shown(reply.headers.get("location", ""))
        there = (
            f": {location} is where it sends them. Calls are not sent on: connect to that, if you trust it"
            if location
            else ""
        )
        return ProtocolError(f"{where}: {_place(target)} takes no calls any more ({said}){there}")
    if status in ELSEWHERE:
        return ProtocolError(
            f"{where}: {_place(target)} does not take {body.name} ({said}){_instead(target, body, reply)}"
        )
    if status >= 500:
        return MayHaveRun(f"{where} may have run: the far side failed ({said})")
    return ProtocolError(f"{where}: the far side answered with {said}")


def unspoken(method: str, target: Address, body: Body, reply: Reply, error: Exception) -> ProtocolError:
    """The exception for a reply that should be an answer and is none; it may have run.

    Args:
        error: what is wrong with it.
    """
    if body.resembles(reply.body):  # it does, but this is not what was asked for
        return ProtocolError(f"{method} at {target}: the answer cannot be read: {error}")
    kind = _shown(reply.headers.get("content-type", ""))
    what = f" (it is of the type {kind})" if kind and kind.partition(";")[0] != body.kind else ""
    where = f"{method} at {target}: {_place(target)} does not speak {body.name}"
    return ProtocolError(f"{where}: {error}{what}{_instead(target, body, reply)}")


def _place(target: Address) -> str:
    return target.speaks[1] if target.carrier != "unix" else "it"


def _instead(target: Address, body: Body, reply: Reply) -> str:
    """Which address to try."""
    scheme, name, usual = body.other
    sure = _is_other(body, reply)
    path = target.speaks[1] if sure else usual
    if target.carrier == "unix":
        address = Address(f"{scheme}+unix", path=target.path)
    else:
        address = Address(f"{scheme}+{target.carrier}", target.host, target.port, path)
    return f". It speaks {name}: {address} is the address" if sure else f". If it speaks {name}, try {address}"


def _is_other(body: Body, reply: Reply) -> bool:
    found = reply.body.lstrip()
    if body.other[0] == "xmlrpc":
        return b"<methodResponse" in found[:1000]
    return found[:1] == b"{" and b'"jsonrpc"' in found


def _phrase(reply: Reply) -> str:
    try:
        return HTTPStatus(reply.status).phrase
    except ValueError:
        return _shown(reply.reason)


def _text(reply: Reply) -> str:
    """What the far side says itself, if that is a text for people."""
    if reply.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/plain":
        return ""
    lines = reply.body[: 4 * SHOWN].decode("utf-8", "replace").strip().splitlines()
    return _shown(lines[0]) if lines else ""


def _shown(text: str) -> str:
    """What a stranger has sent, for a sentence of ours."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:SHOWN])
    return shown.strip()
