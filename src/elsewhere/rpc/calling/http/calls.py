"""Calls over HTTP that are waited for: posts them, reads the replies, repeats what may be repeated."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from elsewhere.errors import (
    ConnectError,
    ConnectTimeout,
    ElsewhereError,
    MessageTooLarge,
    MethodNotFound,
    ProtocolError,
    RemoteError,
)
from elsewhere.rpc import codes
from elsewhere.rpc.calling.http.bodies import Asked, Outcome
from elsewhere.rpc.calling.http.posting import Posting
from elsewhere.rpc.calling.http.refusals import refused, unspoken
from elsewhere.rpc.calling.http.reply import Reply
from elsewhere.rpc.calling.repeating import pause
from elsewhere.rpc.calling.terms import Terms
from elsewhere.rpc.dialect import CALL, METHODS

__all__ = ["Calls"]


class Calls(Posting):
    """See the module."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idempotent: frozenset[str] | None = None  # what the far side says of its methods, once it was asked
        self._probed = False  # ... only to see whether it is one of ours

    def close(self) -> None:
        raise NotImplementedError

    # ---- the beginning -----------------------------------------------------------------------------------------------

    def start(self, terms: Terms, *, proves: bool) -> None:
        """Connect, for the first time.

        Args:
            terms: for that.
            proves: see at once whether the far side accepts who calls.

        Raises:
            ConnectError, ConnectTimeout: it cannot be done.
            Unauthorized: it does not accept who calls.
            ProtocolError: it speaks something else.
        """
        try:
            if proves:
                with contextlib.suppress(RemoteError):  # it does not tell its methods
                    self._know(terms)
            else:
                self.lines.release(self.lines.take(time.monotonic() + terms.limit))
        except ConnectError:
            self.close()
            raise
        except TimeoutError as error:
            self.close()
            text = f"{self.address} does not answer within {terms.limit:g} s"
            raise ConnectTimeout(text, address=self.address, phase="greeting") from error
        except BaseException:
            self.close()
            raise

    def _know(self, terms: Terms) -> list[dict[str, Any]]:
        """What the far side tells of its methods; raises as `call` does."""
        method = METHODS if self.body.notifies or self.ours else "system.listMethods"
        found = self.call(method, (), {}, terms._replace(retry=None, idempotent=False))
        if not isinstance(found, list):
            raise ProtocolError(f"{method} at {self.address}: the answer is no list of methods")
        if method != METHODS and not self.ours:
            return [{"name": name} for name in found if isinstance(name, str)]
        if method != METHODS:
            return self._know(terms)
        known = [each for each in found if isinstance(each, dict) and isinstance(each.get("name"), str)]
        self._idempotent = frozenset(each["name"] for each in known if each.get("idempotent") is True)
        return known

    def listed(self, terms: Terms) -> list[dict[str, Any]]:
        """See `Client.methods`."""
        try:
            known = self._know(terms)
        except MethodNotFound:
            text = f"{self.address} does not tell its methods: it has no method for that"
            raise MethodNotFound(text) from None
        if self.ours or self.body.notifies:
            return known
        from elsewhere.rpc.calling.http.xml import described

        return described([each["name"] for each in known], lambda calls: self._asked(calls, terms))

    def _asked(self, calls: list[tuple[str, list[Any]]], terms: Terms) -> list[Any]:
        """The value of each call, or None where there is none."""
        data, key = self.body.many([Asked(method, args, {}) for method, args in calls])
        reply = self.post("system.multicall", data, terms, time.monotonic())
        found: Any = None
        with contextlib.suppress(ProtocolError):  # Supervisor's multicall answers in a way of its own
            found = self._read("system.multicall", reply, lambda body: self.body.outcomes(body, key))
        if isinstance(found, list):
            return [one.value for one in found]
        return [self._maybe(method, args, terms) for method, args in calls]

    def _maybe(self, method: str, args: list[Any], terms: Terms) -> Any:
        with contextlib.suppress(RemoteError):
            return self.call(method, args, {}, terms)
        return None

    # ---- calls -------------------------------------------------------------------------------------------------------

    def call(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms) -> Any:
        """The method's result; see `Client.call`."""
        began = started = time.monotonic()
        data, key = self.body.one(self.phrased(method, args, kwargs, terms))
        failures = 0
        while True:
            try:
                outcome = self._outcome(method, self.post(method, data, terms, began), key)
                if outcome.error is None:
                    return outcome.value
                raise self._raised(outcome.error, method)
            except ElsewhereError as error:
                failures += 1
                wait = self._repeats(error, method, terms, failures)
                if wait is None or (terms.retry is None and time.monotonic() + wait >= started + terms.limit):
                    raise
            if wait:
                time.sleep(wait)
            if terms.retry is not None:
                began = time.monotonic()

    def phrased(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms, *, notifies: bool = False) -> Asked:
        """What is sent for a call: services of ours take both kinds of arguments at once, whatever is spoken."""
        if not (self.ours or self._probed or self.body.takes(args, kwargs)):
            self._probed = True
            with contextlib.suppress(ElsewhereError):
                self._know(terms)
        if not self.ours or self.body.takes(args, kwargs):
            return Asked(method, args, kwargs, notifies)  # or it is said why not
        return Asked(CALL, [method, args, kwargs, {}], {}, notifies)

    def _repeats(self, error: ElsewhereError, method: str, terms: Terms, failures: int) -> float | None:
        if self.closed:
            return None
        return pause(error, terms, failures, lambda: self._is_idempotent(method, terms))

    def _is_idempotent(self, method: str, terms: Terms) -> bool:
        """Does the far side say so? It is asked when a call has failed that may have run, and once."""
        if self._idempotent is None and self.ours:
            self._idempotent = frozenset()  # if it does not say
            with contextlib.suppress(ElsewhereError):
                self._know(terms)
        return self._idempotent is not None and method in self._idempotent

    # ---- replies -----------------------------------------------------------------------------------------------------

    def _outcome(self, method: str, reply: Reply, key: Any) -> Outcome:
        found: Outcome = self._read(method, reply, lambda body: self.body.outcome(body, key))
        return found

    def _read(self, method: str, reply: Reply, read: Callable[[bytes], Any]) -> Any:
        """What a reply means; of one with a status of failure only errors count."""
        if 200 <= reply.status < 300:
            try:
                return read(reply.body)
            except MessageTooLarge as error:
                raise MessageTooLarge(
                    f"{method} at {self.address}: {error}", size=error.size, limit=error.limit
                ) from None
            except ProtocolError as error:
                raise unspoken(method, self.target, self.body, reply, error) from None
        if self.body.resembles(reply.body):
            with contextlib.suppress(ProtocolError):
                found = read(reply.body)
                if isinstance(found, Outcome) and found.error is not None:
                    return found
        raise refused(method, self.target, self.body, reply, ours=codes.OURS.lower() in reply.headers)

    def _raised(self, error: dict[str, Any], method: str) -> Exception:
        return codes.raised(error, method, self.address, ours=self.ours)
