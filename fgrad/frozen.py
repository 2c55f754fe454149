"""What is a node of a pytree, and immutable values: dataclass, FrozenDict, freeze, replace.

:mod:`fgrad.tree` offers all of it under its own name; nobody else imports this file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

import numpy as np
import optree
from optree import _C

from fgrad.errors import ArgumentError, TreeError, article, describe

NAMESPACE = "fgrad"
DICTS = (dict, OrderedDict, defaultdict)
_MISSING: Any = object()
Structure = optree.PyTreeSpec
Path = tuple[Any, ...]
Cls = TypeVar("Cls", bound=type)
K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)

# optree.dict_insertion_ordered is this call as a context manager; we never want to leave it, and
# it would be left, for the whole process, as soon as the manager were collected as garbage.
_C.set_dict_insertion_ordered(True, NAMESPACE)


def one_level(node: Any) -> tuple[list[Any], Structure]:
    """Flatten a node into its direct children; a leaf is its own only child."""
    return _C.flatten(node, lambda x: x is not node, False, NAMESPACE)


def register(
    cls: type,
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, Any], Any],
) -> None:
    """Make a class of yours a node of pytrees.

    >>> from fgrad import tree
    >>> class Pair:
    ...     def __init__(self, a, b, name):
    ...         self.a, self.b, self.name = a, b, name
    >>> tree.register(Pair, lambda p: ((p.a, p.b), p.name), lambda name, ab: Pair(*ab, name))
    >>> tree.map(lambda x: 10 * x, Pair(1, 2, "p")).b
    20

    Args:
        cls: the class; instances of subclasses stay leaves.
        flatten: returns the children and the rest of the object, which must be hashable.
        unflatten: called as ``unflatten(rest, children)``. The children may be tracers, or any
            other object, so it should check nothing.

    Raises:
        ArgumentError: the class is a node already; later, when an object with a rest that is not
            hashable is flattened.
    """

    def flatten_checked(obj: Any) -> tuple[Iterable[Any], Any, None]:
        children, rest = flatten(obj)
        _check_hashable(cls, "the second value of its flatten function", rest)
        return children, rest, None

    _add_node(cls, flatten_checked, unflatten, optree.FlattenedEntry)


def register_class(cls: Cls) -> Cls:
    """Register the decorated class by its methods ``tree_flatten`` and ``tree_unflatten``.

    ``self.tree_flatten()`` and the class method ``cls.tree_unflatten(rest, children)`` are the two
    functions that :func:`register` wants.
    """
    register(cls, lambda obj: obj.tree_flatten(), cls.tree_unflatten)  # type: ignore[attr-defined]
    return cls


def field(*, static: bool = False, metadata: Any = None, **options: Any) -> Any:
    """Describe a field of a :func:`dataclass`; ``static=True`` makes it a part of the structure.

    The other options are those of ``dataclasses.field``.
    """
    return dataclasses.field(metadata={**(metadata or {}), "static": static}, **options)


@overload
def dataclass(cls: Cls, /) -> Cls: ...
@overload
def dataclass(**options: Any) -> Callable[[Cls], Cls]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def dataclass(cls: Any = None, /, **options: Any) -> Any:
    """Make a frozen dataclass that is a node of pytrees, its fields being the children.

    >>> from fgrad import tree
    >>> @tree.dataclass
    ... class Dense:
    ...     w: float
    ...     activation: str = tree.field(static=True, default="tanh")
    >>> tree.map(lambda x: -x, Dense(1.0))
    Dense(w=-1.0, activation='tanh')
    >>> Dense(1.0).replace(w=3.0)
    Dense(w=3.0, activation='tanh')

    Trees are rebuilt without ``__init__`` and ``__post_init__``, so that these may check what a
    user gives and never see a tracer. The method ``replace`` is ``dataclasses.replace``, which
    calls both; :func:`replace` of this module calls neither.

    Args:
        cls: the class; left out where options are given.
        **options: those of ``dataclasses.dataclass``, without ``frozen``.

    Raises:
        ArgumentError: ``frozen`` is among the options; later, when an object with a static field
            that is not hashable is flattened.
    """
    if cls is None:
        return functools.partial(_make_dataclass, **options)
    return _make_dataclass(cls, **options)


def _make_dataclass(cls: Any, /, **options: Any) -> Any:
    if "frozen" in options:
        wanted = f"tree.dataclass makes frozen classes only, {cls.__name__} too."
        raise ArgumentError(wanted, f"frozen={options['frozen']}", "leave `frozen` out")
    cls = dataclasses.dataclass(frozen=True, **options)(cls)
    static: list[str] = []
    names: list[str] = []
    for item in dataclasses.fields(cls):
        (static if item.metadata.get("static") else names).append(item.name)
    set_field = object.__setattr__

    def flatten_fields(obj: Any) -> tuple[list[Any], tuple[Any, ...], list[str]]:
        rest = tuple([getattr(obj, name) for name in static])
        for name, value in zip(static, rest, strict=True):
            _check_hashable(cls, f"its static field {name!r}", value)
        return [getattr(obj, name) for name in names], rest, names

    def unflatten_fields(rest: tuple[Any, ...], children: Iterable[Any]) -> Any:
        obj = object.__new__(cls)
        for name, value in zip(names, children, strict=True):
            set_field(obj, name, value)
        for name, value in zip(static, rest, strict=True):
            set_field(obj, name, value)
        return obj

    _add_node(cls, flatten_fields, unflatten_fields, optree.GetAttrEntry)
    if not hasattr(cls, "replace") and "replace" not in static + names:
        cls.replace = lambda self, **changes: dataclasses.replace(self, **changes)
    return cls


def _add_node(cls: type, flatten: Any, unflatten: Any, entry: type[optree.PyTreeEntry]) -> None:
    options: Any = {"path_entry_type": entry, "namespace": NAMESPACE}
    try:
        optree.register_pytree_node(cls, flatten, unflatten, **options)
    except (TypeError, ValueError) as error:
        wanted = "register wants a class, and one that is not a node of pytrees already."
        came = f"the class `{cls.__qualname__}`" if isinstance(cls, type) else describe(cls)
        to_do = "register a class once, below its definition; built-in nodes stay as they are"
        raise ArgumentError(wanted, f"{came}: {error}", to_do) from error


def _check_hashable(cls: type, what: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError as error:
        wanted = f"`{cls.__name__}` as a pytree wants hashable data beside its children."
        came = f"{what} is {article(type(value).__name__)} {type(value).__name__} ({error})"
        to_do = "make arrays and containers of arrays children, and a static list a tuple"
        raise ArgumentError(wanted, came, to_do) from error


class FrozenDict(Mapping[K, V_co]):
    """A dict that cannot be changed; keys keep the order in which they came.

    It takes what ``dict`` takes, equals every mapping with the same items, and is hashable if its
    values are. ``d | other`` is a new FrozenDict with the items of both.

    >>> d = FrozenDict(w=1, b=2)
    >>> d | {"b": 3}
    FrozenDict({'w': 1, 'b': 3})
    >>> d == {"b": 2, "w": 1}, hash(d) == hash(FrozenDict(b=2, w=1))
    (True, True)
    """

    __slots__ = ("_items",)
    _items: dict[K, V_co]

    def __new__(cls, *args: Any, **kwargs: Any) -> FrozenDict[K, V_co]:
        """Take the arguments of dict; here, because ``d.__init__(...)`` would change ``d``."""
        self = super().__new__(cls)
        object.__setattr__(self, "_items", dict(*args, **kwargs))
        return self

    def __getitem__(self, key: K) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __reversed__(self) -> Iterator[K]:
        return reversed(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __eq__(self, other: object) -> bool:
        return self._items == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"

    def __or__(self, other: Mapping[Any, Any]) -> FrozenDict[Any, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return FrozenDict({**self, **other})

    def __ror__(self, other: Mapping[Any, Any]) -> FrozenDict[Any, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return FrozenDict({**other, **self})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._items,)

    def __copy__(self) -> FrozenDict[K, V_co]:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a FrozenDict cannot be changed (tried to set {name!r})")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a FrozenDict cannot be changed (tried to delete {name!r})")


def _flatten_frozen_dict(d: FrozenDict[Any, Any]) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    keys = tuple(d)
    return d.values(), keys, keys


def _unflatten_frozen_dict(keys: tuple[Any, ...], values: Iterable[Any]) -> FrozenDict[Any, Any]:
    return FrozenDict(zip(keys, values, strict=True))


MAPPINGS = (*DICTS, FrozenDict)
_add_node(FrozenDict, _flatten_frozen_dict, _unflatten_frozen_dict, optree.MappingEntry)


def freeze(tree: Any) -> Any:
    """Make the immutable twin of a tree.

    >>> from fgrad import tree
    >>> frozen = tree.freeze({"w": np.zeros(2), "sizes": [1, 2]})
    >>> frozen
    FrozenDict({'w': array([0., 0.]), 'sizes': (1, 2)})
    >>> frozen["w"][0] = 1.0
    Traceback (most recent call last):
    ...
    ValueError: assignment destination is read-only

    NumPy arrays become read-only copies (one that is read-only and owns its data is taken as it
    is), lists and deques become tuples, and dicts of all kinds become FrozenDicts. Other nodes
    keep their type and get frozen children; other leaves, CuPy's arrays among them, stay.
    """
    children, level = one_level(tree)
    if level.is_leaf():
        return _freeze_leaf(tree)
    children = [freeze(child) for child in children]
    if level.type in DICTS:
        return FrozenDict(zip(level.entries(), children, strict=True))
    return tuple(children) if level.type in (list, deque) else level.unflatten(children)


def _freeze_leaf(x: Any) -> Any:
    if not issubclass(type(x), np.ndarray) or (x.flags.owndata and not x.flags.writeable):
        return x
    x = x.copy(order="K")
    x.flags.writeable = False
    return x


def thaw(tree: Any) -> Any:
    """Make a copy with dicts for FrozenDicts and writable copies of the NumPy arrays.

    It does not undo all of :func:`freeze`: tuples stay tuples, whatever they were before.
    """
    children, level = one_level(tree)
    if level.is_leaf():
        return tree.copy(order="K") if issubclass(type(tree), np.ndarray) else tree
    children = [thaw(child) for child in children]
    if level.type is FrozenDict:
        return dict(zip(level.entries(), children, strict=True))
    return level.unflatten(children)


def path_str(path: Path) -> str:
    """Write a path as the Python expression that reads the leaf.

    >>> from fgrad import tree
    >>> [tree.path_str(path) for path, _ in tree.leaves_with_path({"a": [1, (2, 3)]})]
    ["['a'][0]", "['a'][1][0]", "['a'][1][1]"]
    """
    entries = (e.codify() if isinstance(e, optree.PyTreeEntry) else f"[{e!r}]" for e in path)
    return "".join(entries)


def steps_of(level: Structure) -> list[optree.PyTreeEntry]:
    """Return the path entry of each child of a node."""
    return [] if level.is_leaf() else [accessor[0] for accessor in level.accessors()]


def at(path: Path) -> str:
    """Say where something is, in a message."""
    return f"at {path_str(path)}" if path else "at the root"


def say(level: Structure, value: Any = _MISSING) -> str:
    """Name a node or leaf in words; `level` is its own level of structure."""
    if level.is_leaf():
        return "a leaf" if value is _MISSING else describe(value)
    if level.type is type(None) or level.type is None:
        return "None"
    name, n = level.type.__name__, level.num_children
    if level.type in MAPPINGS:
        return f"{article(name)} {name} of {n} key{'s' * (n != 1)}"
    if level.type in (list, tuple, deque):
        return f"{article(name)} {name} of {n} item{'s' * (n != 1)}"
    return f"{article(name)} {name}"


def replace(tree: Any, path: Any, value: Any) -> Any:
    """Make a copy of a tree with another subtree at one place.

    >>> from fgrad import tree
    >>> params = {"layers": [{"w": 1.0}, {"w": 2.0}]}
    >>> tree.replace(params, ("layers", 1, "w"), 3.0)
    {'layers': [{'w': 1.0}, {'w': 3.0}]}

    Args:
        tree: it is not changed; the copy shares all that does not lie on the path.
        path: a tuple of keys, indices and field names, a single one of them, or a path from
            :func:`leaves_with_path`. The empty tuple stands for the whole tree.
        value: any subtree.

    Raises:
        TreeError: the path does not exist; it says how far it does, and what is there.
    """
    return _replace(tree, path if isinstance(path, tuple) else (path,), value, 0)


def _replace(node: Any, path: Path, value: Any, depth: int) -> Any:
    if depth == len(path):
        return value
    children, level = one_level(node)
    steps = steps_of(level)
    index = _index(path[depth], steps)
    if index is None:
        wanted = f"replace wants a path that is in the tree, not {path_str(path)}."
        missing = path_str(path[depth : depth + 1])
        came = f"{at(path[:depth])}: {say(level, node)}, without {missing}"
        there = [path_str((step,)) for step in steps]
        there = [*there[:20], "..."] if len(there) > 20 else there
        to_do = f"go on with {', '.join(there)}" if there else "end the path there"
        raise TreeError(wanted, came, to_do)
    children[index] = _replace(children[index], path, value, depth + 1)
    return level.unflatten(children)


def _index(key: Any, steps: list[optree.PyTreeEntry]) -> int | None:
    """Which child a step of a path leads to: by key or index, or by name in a namedtuple."""
    key = key.entry if isinstance(key, optree.PyTreeEntry) else key
    for i, step in enumerate(steps):
        if step.entry == key or getattr(step, "field", _MISSING) == key:
            return i
    from_end = issubclass(type(key), int) and -len(steps) <= key < 0
    if from_end and not isinstance(steps[0], optree.MappingEntry | optree.GetAttrEntry):
        return int(key) + len(steps)
    return None
