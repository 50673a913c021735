"""Pickles as data: a machine that knows the opcodes of containers, numbers and text, and no others.

A pickle is a program, and ``pickle.load`` lets it import and call anything.  `run` reads the same opcodes
with ``pickletools.genops``, which only takes them apart, and looks each up in `_MACHINE`, a table of harmless
ones.  A name in the pickle is looked up in the caller's table of names and nowhere else, so nothing is ever
imported; an opcode or a name that is not in its table ends the reading.
"""

from __future__ import annotations

import pickletools

import numpy as np

__all__ = ["Refused", "UnknownName", "run", "set_items", "shown"]

DEEPEST = 100  # containers inside containers
MOST_OPCODES = 500_000  # one may take 400 bytes; the weights of ResNet-152 need 31,570
MOST_ENTRIES = 10_000_000  # of a value when it is written out in full
_KEYS = (str, int, float, bytes, type(None))  # whose hash is quick to compute
_LEAVES = (str, int, float, bytes, type(None), np.ndarray)


class Refused(ValueError):
    """The pickle is more or less than data. ``mend`` is what its reader can do about it."""

    def __init__(self, problem, mend="do not trust it, get it again"):
        super().__init__(problem)
        self.mend = mend


class UnknownName(Refused):
    """The pickle asks for a function or class that is not in the table of names."""


class _Name:
    """What a global of the pickle stands for: a function that REDUCE may call."""

    def __init__(self, function):
        self.function = function


class _Mark:
    """Where on the stack a container's entries begin."""


def run(stream, names: dict, persistent=None):
    """The value that a pickle builds.

    Args:
        stream: a binary file, read up to the pickle's end.  Its ``read(n)`` must not take more memory than
            the file has bytes left, as that of ``io.BytesIO``.
        names: {(module, name): value} of the globals that the pickle may use.  A function may be called by
            the pickle, with arguments of any kind that this machine can make; any other value stands for
            itself.
        persistent: called with the pickle's persistent ids; None refuses them.

    Returns dicts, lists, tuples and sets of text, bytes, numbers, None and NumPy arrays.

    Raises:
        Refused: it uses another opcode, or more than `MOST_OPCODES`, or another name (`UnknownName`), has
            keys that are containers, nests containers more than `DEEPEST` deep or into themselves, would
            have more than `MOST_ENTRIES` entries when written out in full, or leaves something else than
            data.
        ValueError, and other errors, from ``pickletools``: it is damaged or cut short.

    >>> import io, pickle
    >>> run(io.BytesIO(pickle.dumps({"lr": 0.1, "betas": (0.9, 0.999)})), {})
    {'lr': 0.1, 'betas': (0.9, 0.999)}
    >>> run(io.BytesIO(pickle.dumps(print)), {})
    Traceback (most recent call last):
        ...
    tinygrad_hw.data_pickle.UnknownName: the pickle asks for 'builtins.print', which is not data
    """
    machine = _Machine(names, persistent)
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if count == MOST_OPCODES:
            raise Refused(f"the pickle has more than {MOST_OPCODES:,} opcodes")
        step = _MACHINE.get(opcode.name)
        if step is None:
            raise Refused(f"the pickle uses the opcode {opcode.name}, which data does not need")
        step(machine, argument)
    if len(machine.stack) != 1:
        raise Refused(f"the pickle ends with {len(machine.stack)} values, not one")
    value = machine.stack[0]
    _measure(value, {})
    return value


def shown(value) -> str:
    """A short text of a value from a file for messages; containers only by their kind.

    >>> shown("a" * 1000)[-10:], shown(2**70), shown([1])
    ("aaaaaa...'", '1180591620717411303424', 'a list')
    """
    if isinstance(value, (str, bytes)):
        return repr(value[:60])[:200] if len(value) <= 60 else f"{repr(value[:60])[:200][:-1]}...'"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, (int, float, type(None))):
        return repr(value)
    return f"a {type(value).__name__}"


class _Machine:
    """A stack of values, and a memo of those that are used again."""

    def __init__(self, names, persistent):
        self.names, self.persistent = names, persistent
        self.stack: list = []
        self.memo: dict = {}

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        if not self.stack or isinstance(self.stack[-1], _Mark):
            raise Refused("the pickle takes a value where there is none")
        return self.stack.pop()

    def pop_to_mark(self) -> list:
        values: list = []
        while self.stack:
            value = self.stack.pop()
            if isinstance(value, _Mark):
                return values[::-1]
            values.append(value)
        raise Refused("the pickle ends a container that it did not begin")

    def top(self, kind):
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise Refused(f"the pickle adds to {shown(self.stack[-1]) if self.stack else 'nothing'}, where "
                          f"a {kind.__name__} should be")
        return self.stack[-1]

    def push_tuple(self, count):
        values = [self.pop() for _ in range(count)]
        self.push(tuple(values[::-1]))

    def put(self, index):
        if not self.stack:
            raise Refused("the pickle remembers a value where there is none")
        self.memo[index] = self.stack[-1]

    def get(self, index):
        if index not in self.memo:
            raise Refused(f"the pickle uses value {index}, which it did not remember")
        self.push(self.memo[index])

    def push_global(self, module, name):
        if (module, name) not in self.names:
            raise UnknownName(f"the pickle asks for {shown(f'{module}.{name}')}, which is not data")
        value = self.names[module, name]
        self.push(_Name(value) if callable(value) else value)

    def stack_global(self):
        name, module = self.pop(), self.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused(f"the pickle asks for {shown(module)} of {shown(name)}, which is no name")
        self.push_global(module, name)

    def reduce(self):
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise Refused(f"the pickle calls {shown(name)}, which is no function")
        self.push(name.function(*arguments))

    def build(self):
        """An OrderedDict's attributes (a state_dict's ``_metadata``) say nothing about its content."""
        self.pop()
        self.top(dict)

    def push_persistent(self):
        identity = self.pop()
        if self.persistent is None:
            raise Refused("the pickle asks for something outside of it")
        self.push(self.persistent(identity))


def set_items(target: dict, pairs) -> dict:
    """``target`` with the pairs added, if their keys are text, bytes or numbers."""
    for key, value in pairs:
        if not isinstance(key, _KEYS):
            raise Refused(f"the pickle has {shown(key)} as a key, not text or a number")
        target[key] = value
    return target


def _dict_update(machine):
    values = machine.pop_to_mark()
    if len(values) % 2:
        raise Refused("the pickle has a key without a value")
    set_items(machine.top(dict), zip(values[::2], values[1::2]))


def _dict_item(machine):
    value, key = machine.pop(), machine.pop()
    set_items(machine.top(dict), [(key, value)])


def _set_update(machine):
    values = machine.pop_to_mark()
    machine.top(set).update(set_items({}, ((value, None) for value in values)))


def _append(machine):
    value = machine.pop()
    machine.top(list).append(value)


def _extend(machine):
    values = machine.pop_to_mark()
    machine.top(list).extend(values)


def _table():
    """{opcode's name: what it does}; https://github.com/python/cpython/blob/main/Lib/pickletools.py."""
    table = {name: lambda machine, argument: None for name in ("PROTO", "FRAME", "STOP")}
    for name in ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINSTRING",
                 "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES",
                 "SHORT_BINBYTES", "BINBYTES8"):
        table[name] = lambda machine, argument: machine.push(argument)
    for name, value in (("NONE", None), ("NEWTRUE", True), ("NEWFALSE", False)):
        table[name] = lambda machine, argument, value=value: machine.push(value)
    for name, kind in (("EMPTY_DICT", dict), ("EMPTY_LIST", list), ("EMPTY_TUPLE", tuple),
                       ("EMPTY_SET", set), ("MARK", _Mark)):
        table[name] = lambda machine, argument, kind=kind: machine.push(kind())
    for count in (1, 2, 3):
        table[f"TUPLE{count}"] = lambda machine, argument, count=count: machine.push_tuple(count)
    table["TUPLE"] = lambda machine, argument: machine.push(tuple(machine.pop_to_mark()))
    for name, step in (("SETITEM", _dict_item), ("SETITEMS", _dict_update), ("APPEND", _append),
                       ("APPENDS", _extend), ("ADDITEMS", _set_update), ("REDUCE", _Machine.reduce),
                       ("BUILD", _Machine.build), ("BINPERSID", _Machine.push_persistent),
                       ("STACK_GLOBAL", _Machine.stack_global)):
        table[name] = lambda machine, argument, step=step: step(machine)
    table["GLOBAL"] = lambda machine, argument: machine.push_global(*argument.split(" ", 1))
    table["MEMOIZE"] = lambda machine, argument: machine.put(len(machine.memo))
    for name in ("BINPUT", "LONG_BINPUT"):
        table[name] = _Machine.put
    for name in ("BINGET", "LONG_BINGET"):
        table[name] = _Machine.get
    return table


_MACHINE = _table()


def _measure(value, known, depth: int = 0) -> tuple[int, int]:
    """(entries, height) of a value when it is written out in full; refuses what is no data.

    A container that is used again counts every time: a few hundred bytes of lists of the same lists would
    otherwise become more entries than any memory holds for whoever copies or prints them.
    """
    if isinstance(value, _LEAVES):
        return 1, 0
    if not isinstance(value, (dict, list, tuple, set)):
        raise Refused("the pickle leaves something that is not data")
    if id(value) not in known:
        known[id(value)] = None  # until its entries are measured
        if depth > DEEPEST:
            raise _too_deep()
        entries, height = 1, 0
        for entry in value.values() if isinstance(value, dict) else value:
            more, higher = _measure(entry, known, depth + 1)
            entries, height = entries + more, max(height, higher)
        known[id(value)] = entries, height + 1
    if known[id(value)] is None:
        raise Refused("the pickle holds a container that contains itself")
    entries, height = known[id(value)]
    if depth + height > DEEPEST:
        raise _too_deep()
    if entries > MOST_ENTRIES:
        raise Refused(f"the pickle unfolds to more than {MOST_ENTRIES:,} entries")
    return entries, height


def _too_deep():
    return Refused(f"the pickle nests its containers more than {DEEPEST} deep")
