"""The opcodes of a pickle, as the machine does them.

It takes what the pickler of Python 3.8 to 3.14 writes in protocols 4 and 5, and no other opcode: no text (INT, GET),
no GLOBAL, no INST, OBJ, EXT, PERSID or PUT, no buffers out of band. Each function is given the position behind its
opcode and returns that of the next.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from .machine import Function, Machine, Malformed, Refused, World

__all__ = ["load"]

Op = Callable[[Machine, int], int]
OPS: list[Op] = []


def load(data: bytes | bytearray | memoryview, world: World, fragile: frozenset[type]) -> Any:
    """The value that a pickle holds.

    Args:
        data: the pickle, whole.
        world: see `World`.
        fragile: see `Machine`.

    Raises:
        Refused: it holds something that the world does not allow.
        Malformed: it is no pickle of ours.
    """
    machine = Machine(data, world, fragile)
    position, view = 0, machine.view
    try:
        while position >= 0:
            position = OPS[view[position]](machine, position + 1)
        if len(machine.stack) != 1 or machine.below:
            raise Malformed("it ends with more or less than one value")
        if machine.functions:
            raise Refused("function", "a function never comes back from a host")
        return machine.stack[0]
    except IndexError:
        raise Malformed("it ends too early, or takes what is not there") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


def _unknown(machine: Machine, position: int) -> int:
    code = machine.view[position - 1]
    raise Malformed(f"opcode {code:#04x} at byte {position - 1}, which no pickler of ours writes")


OPS += [_unknown] * 256


def _op(code: int) -> Callable[[Op], Op]:
    def keep(function: Op) -> Op:
        OPS[code] = function
        return function

    return keep


# ---- frames, marks, the memo -----------------------------------------------------------------------------------------


@_op(0x80)
def proto(machine: Machine, position: int) -> int:
    if machine.view[position] not in (4, 5):
        raise Malformed(f"protocol {machine.view[position]}")
    return position + 1


@_op(0x95)
def frame(machine: Machine, position: int) -> int:
    machine.take(position + 8, int.from_bytes(machine.take(position, 8), "little"))
    return position + 8


@_op(0x2E)
def stop(machine: Machine, position: int) -> int:
    if position != machine.size:
        raise Malformed("there is more behind its end")
    return -1


@_op(0x28)
def mark(machine: Machine, position: int) -> int:
    machine.below.append(machine.stack)
    machine.stack = []
    return position


@_op(0x94)
def memoize(machine: Machine, position: int) -> int:
    machine.memo.append(machine.stack[-1])
    return position


@_op(0x68)
def binget(machine: Machine, position: int) -> int:
    _get(machine, machine.view[position])
    return position + 1


@_op(0x6A)
def long_binget(machine: Machine, position: int) -> int:
    _get(machine, int.from_bytes(machine.take(position, 4), "little"))
    return position + 4


def _get(machine: Machine, index: int) -> None:
    value = machine.memo[index]
    if type(value) is Function:
        machine.functions += 1
    machine.stack.append(value)


@_op(0x30)
def pop(machine: Machine, position: int) -> int:
    machine.stack.pop()  # the pickler writes it for a tuple that holds itself, never for what it has just marked
    return position


@_op(0x31)
def pop_mark(machine: Machine, position: int) -> int:
    machine.close()
    return position


# ---- plain values ----------------------------------------------------------------------------------------------------


def _constant(code: int, value: Any) -> None:
    def push(machine: Machine, position: int) -> int:
        machine.stack.append(value)
        return position

    OPS[code] = push


_constant(0x4E, None)
_constant(0x88, True)
_constant(0x89, False)
_constant(0x29, ())


def _fixed(code: int, form: str) -> None:
    layout = Struct(form)
    unpack, size = layout.unpack_from, layout.size

    def push(machine: Machine, position: int) -> int:
        if position + size > machine.size:
            raise Malformed("it ends too early")
        machine.stack.append(unpack(machine.view, position)[0])
        return position + size

    OPS[code] = push


_fixed(0x4A, "<i")
_fixed(0x4B, "<B")
_fixed(0x4D, "<H")
_fixed(0x47, ">d")


def _sized(code: int, width: int, make: Callable[[memoryview], Any]) -> None:
    """A value whose bytes follow their number."""

    def push(machine: Machine, position: int) -> int:
        size = machine.view[position] if width == 1 else int.from_bytes(machine.take(position, width), "little")
        position += width
        end = position + size
        if end > machine.size:
            raise Malformed("it ends too early")
        machine.stack.append(make(machine.view[position:end]))
        return end

    OPS[code] = push


def _text(data: memoryview) -> str:
    return str(data, "utf-8", "surrogatepass")


def _integer(data: memoryview) -> int:
    return int.from_bytes(data, "little", signed=True)


_sized(0x8A, 1, _integer)  # LONG1
_sized(0x8B, 4, _integer)
_sized(0x8C, 1, _text)  # SHORT_BINUNICODE
_sized(0x58, 4, _text)
_sized(0x8D, 8, _text)
_sized(0x43, 1, bytes)  # SHORT_BINBYTES
_sized(0x42, 4, bytes)
_sized(0x8E, 8, bytes)
_sized(0x96, 8, bytearray)


# ---- containers ------------------------------------------------------------------------------------------------------


@_op(0x5D)
def empty_list(machine: Machine, position: int) -> int:
    machine.stack.append([])
    return position


@_op(0x7D)
def empty_dict(machine: Machine, position: int) -> int:
    machine.stack.append({})
    return position


@_op(0x8F)
def empty_set(machine: Machine, position: int) -> int:
    machine.stack.append(set())
    return position


def _tuple(code: int, size: int) -> None:
    def push(machine: Machine, position: int) -> int:
        stack = machine.stack
        if len(stack) < size:
            raise Malformed("it takes what is not there")
        made = tuple(stack[-size:])
        machine.weigh(made)
        stack[-size:] = [made]
        return position

    OPS[code] = push


_tuple(0x85, 1)
_tuple(0x86, 2)
_tuple(0x87, 3)


@_op(0x74)
def tuple_of_marked(machine: Machine, position: int) -> int:
    made = tuple(machine.close())
    machine.weigh(made)
    machine.stack.append(made)
    return position


@_op(0x91)
def frozen(machine: Machine, position: int) -> int:
    items = machine.close()
    for item in items:
        machine.check_key(item)
    made = frozenset(items)
    machine.weigh(made)
    machine.stack.append(made)
    return position


@_op(0x90)
def additems(machine: Machine, position: int) -> int:
    items = machine.close()
    made = machine.stack[-1]
    if type(made) is not set:
        raise Malformed("it adds to what is no set")
    for item in items:
        machine.check_key(item)
    made.update(items)
    return position


@_op(0x61)
def append(machine: Machine, position: int) -> int:
    item = machine.stack.pop()
    _extend(machine, [item])
    return position


@_op(0x65)
def appends(machine: Machine, position: int) -> int:
    items = machine.close()
    _extend(machine, items)
    return position


def _extend(machine: Machine, items: list[Any]) -> None:
    made = machine.stack[-1]
    if type(made) is list:
        made += items
        return
    if type(made) in machine.fragile:
        machine.note(made, items)
    machine.world.extend(made, items)


@_op(0x73)
def setitem(machine: Machine, position: int) -> int:
    value = machine.stack.pop()
    key = machine.stack.pop()
    _update(machine, [key, value])
    return position


@_op(0x75)
def setitems(machine: Machine, position: int) -> int:
    items = machine.close()
    _update(machine, items)
    return position


def _update(machine: Machine, items: list[Any]) -> None:
    keys, values = items[::2], items[1::2]
    if len(keys) != len(values):
        raise Malformed("a key without its value")
    for key in keys:
        if type(key) is not str:
            machine.check_key(key)
    made = machine.stack[-1]
    if type(made) is dict:
        made.update(zip(keys, values, strict=True))
        return
    if type(made) in machine.fragile:
        machine.note(made, values)
    machine.world.update(made, list(zip(keys, values, strict=True)))


# ---- names, calls, states --------------------------------------------------------------------------------------------


@_op(0x93)
def stack_global(machine: Machine, position: int) -> int:
    name = machine.stack.pop()
    module = machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise Malformed("a name that is no text")
    _push_found(machine, machine.world.find(module, name))
    return position


def _push_found(machine: Machine, found: Any) -> None:
    if type(found) is Function:
        machine.functions += 1
    elif isinstance(found, tuple | frozenset):
        machine.weigh(found)  # a named tuple
    machine.stack.append(found)


@_op(0x52)
def reduce(machine: Machine, position: int) -> int:
    args = machine.stack.pop()
    function = machine.stack.pop()
    if type(args) is not tuple:
        raise Malformed("arguments that are no tuple")
    if type(function) is Function:
        machine.functions -= 1
    _push_found(machine, machine.world.call(function, args))
    return position


@_op(0x81)
def newobj(machine: Machine, position: int) -> int:
    args = machine.stack.pop()
    _new(machine, args, {})
    return position


@_op(0x92)
def newobj_ex(machine: Machine, position: int) -> int:
    kwargs = machine.stack.pop()
    args = machine.stack.pop()
    if type(kwargs) is not dict:
        raise Malformed("keywords that are no dictionary")
    _new(machine, args, kwargs)
    return position


def _new(machine: Machine, args: Any, kwargs: dict[str, Any]) -> None:
    cls = machine.stack.pop()
    if type(args) is not tuple:
        raise Malformed("arguments that are no tuple")
    _push_found(machine, machine.world.new(cls, args, kwargs))


@_op(0x62)
def build(machine: Machine, position: int) -> int:
    state = machine.stack.pop()
    made = machine.stack[-1]
    if type(made) in machine.fragile and type(state) is tuple:
        for part in state:
            if type(part) is list:  # the elements of an array
                machine.note(made, part)
    machine.world.build(made, state)
    return position
