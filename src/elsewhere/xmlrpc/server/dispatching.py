"""Which function a method's name means, and what becomes of what it does."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, overload

from elsewhere.xmlrpc.server.bodies import described, dumps, fault_body, is_fault, loads

__all__ = ["SimpleXMLRPCDispatcher", "list_public_methods", "resolve_dotted_attribute"]

F = TypeVar("F", bound=Callable[..., Any])
Dispatch = Callable[[str, tuple[Any, ...]], Any]
MULTICALL = "system.multicall"

# From these everything else in the process can be reached, so that a walk does not go through them.
CLOSED = (
    types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CodeType, types.FrameType,
    types.TracebackType, types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType,
)  # fmt: skip


def resolve_dotted_attribute(obj: Any, attr: str, allow_dotted_names: bool = True) -> Any:
    """``resolve_dotted_attribute(a, "b.c.d")`` gives ``a.b.c.d``.

    Args:
        obj: where to begin.
        attr: a name, or several with dots between.
        allow_dotted_names: False: the dots are taken for a part of one name.

    Raises:
        AttributeError: there is no such attribute, or it is none for the public: one of the names begins with an
            underscore, or the way leads through a module, a function, a frame or the like, from where it would lead
            to everything.
    """
    for step, name in enumerate(attr.split(".") if allow_dotted_names else [attr]):
        if name.startswith("_"):
            raise AttributeError(f'attempt to access private attribute "{name}"')
        if step and isinstance(obj, CLOSED):
            raise AttributeError(f'attempt to look for "{name}" in a {type(obj).__name__}')
        obj = getattr(obj, name)
    return obj


def list_public_methods(obj: Any) -> list[str]:
    """The names of what can be called in an object, without those that begin with an underscore."""
    return [name for name in dir(obj) if not name.startswith("_") and callable(_attribute(obj, name))]


def _attribute(obj: Any, name: str) -> Any:
    try:
        return getattr(obj, name)
    except Exception:  # noqa: BLE001 - a property that fails is no method
        return None


class SimpleXMLRPCDispatcher:
    """Functions and an object whose methods are called by name, as `xmlrpc.server` has it.

    It is a part of the servers here, and by itself what `MultiPathXMLRPCServer.add_dispatcher` takes.

    Args:
        allow_none: may results be or hold None?
        encoding: of answers; None is UTF-8.
        use_builtin_types: arguments of type base64 and dateTime.iso8601 are bytes and datetime, and not `Binary` and
            `DateTime`.
    """

    def __init__(self, allow_none: bool = False, encoding: str | None = None, use_builtin_types: bool = False) -> None:
        self.funcs: dict[str, Callable[..., Any]] = {}
        self.instance: Any = None
        self.allow_none = allow_none
        self.encoding = encoding or "utf-8"
        self.use_builtin_types = use_builtin_types
        self.allow_dotted_names = False

    # ---- what can be called ------------------------------------------------------------------------------------------

    def register_instance(self, instance: Any, allow_dotted_names: bool = False) -> None:
        """Let the methods of an object be called, where no function has that name. A second one takes its place.

        Names that begin with an underscore are private. If the object has a method ``_dispatch(name, params)``, that
        is called instead, with a tuple.

        Args:
            instance: the object.
            allow_dotted_names: "a.b.c" is a method, too, of what the object's attribute `a` has. **With care**: an
                attribute often knows more than its owner means to show. The walk does not go through modules and
                functions, but through everything else.
        """
        self.instance = instance
        self.allow_dotted_names = allow_dotted_names

    @overload
    def register_function(self, function: None = None, name: str | None = None) -> Callable[[F], F]: ...
    @overload
    def register_function(self, function: F, name: str | None = None) -> F: ...
    def register_function(self, function: Any = None, name: str | None = None) -> Any:
        """Let a function be called, by its own name or another; a decorator, too, with or without ``name=``.

        Raises:
            AttributeError: it has no name, and none is given.
        """
        if function is None:
            return partial(self.register_function, name=name)
        self.funcs[function.__name__ if name is None else name] = function
        return function

    def register_introspection_functions(self) -> None:
        """Let `system.listMethods`, `system.methodSignature` and `system.methodHelp` be called."""
        self.funcs["system.listMethods"] = self.system_listMethods
        self.funcs["system.methodSignature"] = self.system_methodSignature
        self.funcs["system.methodHelp"] = self.system_methodHelp

    def register_multicall_functions(self) -> None:
        """Let `system.multicall` be called, which is many calls in one."""
        self.funcs[MULTICALL] = self.system_multicall

    # ---- calls -------------------------------------------------------------------------------------------------------

    def _marshaled_dispatch(
        self, data: bytes | str, dispatch_method: Dispatch | None = None, path: str | None = None
    ) -> bytes:
        """The body of an answer to the body of a call.

        Args:
            data: the call.
            dispatch_method: takes the place of `_dispatch`.
            path: where it was posted to.
        """
        try:
            params, method = loads(data, use_builtin_types=self.use_builtin_types)
            if not isinstance(method, str):
                raise TypeError("the body is no call: it has no methodName")
            result = (dispatch_method or self._dispatch)(method, params)
            try:
                answer = self._dumps(result)
            except Exception:
                if method != MULTICALL or not isinstance(result, list):
                    raise
                answer = self._dumps([self._mended(entry) for entry in result])
            return answer.encode(self.encoding, "xmlcharrefreplace")
        except KeyboardInterrupt:
            raise  # is for the program that serves
        except BaseException as error:  # noqa: BLE001 - whatever a method raises is its answer, SystemExit too
            return fault_body(error, allow_none=self.allow_none, encoding=self.encoding)

    def _dumps(self, result: Any) -> str:
        return dumps((result,), methodresponse=True, allow_none=self.allow_none, encoding=self.encoding)

    def _mended(self, entry: Any) -> Any:
        """One outcome of a multicall; a fault, if it cannot be written: the others can."""
        try:
            self._dumps(entry)
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is that call's answer
            return _outcome(error)
        return entry

    def _dispatch(self, method: str, params: Sequence[Any]) -> Any:
        """Call what the name means: a function that was registered, or else a method of the instance."""
        function = self.funcs.get(method)
        if function is None and method not in self.funcs and self.instance is not None:
            if hasattr(self.instance, "_dispatch"):
                return self.instance._dispatch(method, params)
            function = self._of_instance(method)
        if function is None:
            raise Exception(f'method "{method}" is not supported')  # noqa: TRY002 - as xmlrpc.server: its class is seen
        return function(*params)

    def _of_instance(self, method: str) -> Callable[..., Any] | None:
        try:
            found = resolve_dotted_attribute(self.instance, method, self.allow_dotted_names)
        except AttributeError:
            return None
        return found if callable(found) else None

    # ---- system.* ----------------------------------------------------------------------------------------------------

    def system_listMethods(self) -> list[str]:  # noqa: N802 - the name is xmlrpc.server's
        """system.listMethods() => ['add', 'subtract', 'multiple']

        Returns a list of the methods supported by the server."""  # noqa: D209 - clients see it as it always was
        methods: set[str] = set(self.funcs)
        if self.instance is not None:
            if hasattr(self.instance, "_listMethods"):
                methods |= set(self.instance._listMethods())
            elif not hasattr(self.instance, "_dispatch"):  # one that has it may know any name
                methods |= set(list_public_methods(self.instance))
        return sorted(methods)

    def system_methodSignature(self, method_name: str) -> str:  # noqa: N802 - the name is xmlrpc.server's
        """system.methodSignature('add') => [double, int, int]

        Returns a list describing the signature of the method. In the
        above example, the add method takes two integers as arguments
        and returns a double result.

        This server does NOT support system.methodSignature."""  # noqa: D209 - clients see it as it always was
        return "signatures not supported"

    def system_methodHelp(self, method_name: str) -> str:  # noqa: N802 - the name is xmlrpc.server's
        """system.methodHelp('add') => "Adds two integers together"

        Returns a string containing documentation for the specified method."""  # noqa: D209 - as it always was
        from pydoc import getdoc  # heavy, and seldom asked for

        method: Any = self.funcs.get(method_name)
        if method is None and method_name not in self.funcs and self.instance is not None:
            if hasattr(self.instance, "_methodHelp"):
                return str(self.instance._methodHelp(method_name))
            if not hasattr(self.instance, "_dispatch"):
                method = self._of_instance(method_name)
        return getdoc(method) if method is not None else ""

    def system_multicall(self, call_list: Iterable[dict[str, Any]]) -> list[Any]:
        """system.multicall([{'methodName': 'add', 'params': [2, 2]}, ...]) => \
[[4], ...]

        Allows the caller to package multiple XML-RPC calls into a single
        request.

        See http://www.xmlrpc.com/discuss/msgReader$1208
        """
        return [self._one_of_many(call) for call in call_list]

    def _one_of_many(self, call: dict[str, Any]) -> Any:
        try:
            method, params = call["methodName"], call["params"]
            if not isinstance(method, str) or not isinstance(params, list | tuple):
                raise TypeError(
                    "a call in system.multicall has a methodName, which is a string, and an array of params"
                )
            if method == MULTICALL:  # or one body could ask for any number of calls
                raise ValueError("system.multicall may not be called in system.multicall")
            return [self._dispatch(method, params)]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a method raises is its answer
            return _outcome(error)


def _outcome(error: BaseException) -> dict[str, Any]:
    if is_fault(error):
        return {"faultCode": error.faultCode, "faultString": error.faultString}  # type: ignore[attr-defined]  # it has
    return {"faultCode": 1, "faultString": described(error)}


for _method in ("listMethods", "methodSignature", "methodHelp", "multicall"):
    # The page of a server shows them as they always were.
    getattr(SimpleXMLRPCDispatcher, f"system_{_method}").__annotations__.clear()
