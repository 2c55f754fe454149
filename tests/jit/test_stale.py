"""Attacks on what a compiled function captures: after each change it gives what the function gives.

Each attack is a module that defines ``f``, and statements that change what it reads.
"""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from fgrad import jit

X = np.array([0.5, -1.0, 2.0])

BEFORE = """
import collections, dataclasses, functools, types
import numpy as np
import fgrad
W, R, COUNT = np.ones(3), 2.0, 0
"""

IN_PLACE = "W[0] = 5.0"

ATTACKS = {
    "counter": ("""
def f(x):
    global COUNT
    COUNT += 1
    return x * np.exp(W)
""", [IN_PLACE]),
    "functions in a list": ("""
def g(x):
    return x * np.exp(W)
functions = [g]
def f(x):
    for function in functions:
        x = function(x)
    return x
""", [IN_PLACE, "functions.append(np.sin)", "functions[0] = np.cos"]),
    "method": ("""
class M:
    def g(self, x):
        return x * np.exp(W) * R
m = M()
def f(x):
    return m.g(x)
""", [IN_PLACE, "R = 3.0", "M.g = lambda self, x: -x", "m.g = np.sin"]),
    "property": ("""
class M:
    inner = 2.0
    @property
    def k(self):
        return self.inner * np.exp(W)
m = M()
def f(x):
    return x * m.k
""", ["m.inner = 5.0", IN_PLACE, "M.k = 2.0"]),
    "base class": ("""
class B:
    bias = 1.0
    def g(self, x):
        return x * self.bias * R
class M(B):
    def g(self, x):
        return super().g(x) + 1
m = M()
def f(x):
    return m.g(x)
""", ["B.bias = 5.0", "R = 9.0", "M.bias = 4.0", "m.bias = 3.0", "B.g = lambda self, x: -x"]),
    "class and static methods": ("""
class M:
    k = 1.0
    @classmethod
    def g(cls, x):
        return x * cls.k * R
    @staticmethod
    def h(x):
        return x * np.sin(W)
def f(x):
    return M.g(x) + M().h(x)
""", ["M.k = 3.0", "R = 5.0", IN_PLACE]),
    "defaults": ("""
def g(x, *, w=W):
    return x * np.exp(w)
def f(x, k=np.array(2.0)):
    return g(x) * k
""", [IN_PLACE, "f.__defaults__[0][...] = 7.0", "f.__defaults__ = (3.0,)",
      "g.__kwdefaults__['w'] = np.zeros(3)"]),
    "partial": ("""
def g(w, c, x, k):
    return x * np.exp(w) * c[0] * np.sin(k["a"])
f = functools.partial(g, W, [2.0], k={"a": np.ones(3)})
""", [IN_PLACE, "f.args[1][0] = 7.0", "f.keywords['k'] = {'a': np.zeros(3) + 2}"]),
    "partial in a global": ("""
def g(w, x):
    return x * np.exp(w)
p = functools.partial(g, W)
def f(x):
    return p(x)
""", [IN_PLACE, "p = functools.partial(g, np.zeros(3))"]),
    "attributes": ("""
def g(x):
    return x * g.rate * space.rate * np.exp(space.w) * slotted.w
class Slotted:
    __slots__ = ("w",)
g.rate, slotted = 2.0, Slotted()
space, slotted.w = types.SimpleNamespace(rate=1.0, w=W), 2.0
def f(x):
    return g(x)
""", ["g.rate = 3.0", "space.rate = 4.0", IN_PLACE, "slotted.w = 0.5", "space.w = 2 * W"]),
    "containers": ("""
c = {"a": {"b": 1.0}, "l": [[1.0]]}
d, s = collections.defaultdict(float, a=1.0), {1.0, 2.0}
q, o, b = collections.deque([1.0, 2.0]), collections.OrderedDict(a=1.0), bytearray(b"\\1")
get = d.get
def f(x):
    return x * c["a"]["b"] * c["l"][0][0] + x * get("a") + q[0] * x + sum(s) * x * o["a"] * b[0]
""", ["c['a']['b'] = 3.0", "c['l'][0][0] = 4.0", "d['a'] = 4.0", "q[0] = 9.0", "s.add(7.0)",
      "o['a'] = 8.0", "b[0] = 9"]),
    "types in a container": ("""
c = {"n": 2}
def f(x):
    return x.astype(int) * c["n"]
""", ["c['n'] = 2.0", "c['n'] = True", "c['n'] = np.float32(2)"]),
    "a dataclass": ("""
@dataclasses.dataclass
class D:
    w: object
    n: int = 2
d = D(W)
def f(x):
    return x * np.exp(d.w) * d.n
""", ["d.n = 4", IN_PLACE, "d.w = np.full(3, 3.0)"]),
    "a pytree": ("""
@fgrad.tree.dataclass
class D:
    w: object
    b: object
d = D(W, [np.ones(3)])
def f(x):
    return sum(np.exp(y) * x for y in fgrad.tree.leaves(d))
""", [IN_PLACE, "d.b[0][1] = 3.0", "d.b.append(np.zeros(3))", "d = D(2 * W, [])"]),
    "objects in a list": ("""
class L:
    def __init__(self, k):
        self.w, self.k = np.full(3, k), 1.0
    def __call__(self, x):
        return x * np.exp(self.w) * self.k
layers = [L(1.0), L(2.0)]
def f(x):
    for layer in layers:
        x = layer(x)
    return x
""", ["layers[1].k = 5.0", "layers[0].w = W", "layers[1].w[0] = 0.1", "layers.append(L(0.5))"]),
    "operators": ("""
class K:
    k = 2.0
    def __mul__(self, x):
        return x * self.k * R
k = K()
def f(x):
    return k * x
""", ["k.k = 4.0", "R = 1.5"]),
    "a cached helper": ("""
@functools.lru_cache
def g(n):
    return R * n
def f(x):
    return x * g(2)
""", ["R = 6.5"]),
    "an attribute by name": ("""
class M:
    rate = 1.0
def f(x):
    return x * getattr(M, "rate")
""", ["M.rate = 4.0"]),
    "a name that goes and comes": ("""
T, N = 2.0, None
def f(x):
    try:
        return x * T if N is None else x * N * LATE
    except NameError:
        return -x
""", ["del T", "T = 4.0", "del N", "N = 5.0", "LATE = 3.0"]),
    "recursion": ("""
def g(x, n):
    return x * R if n == 0 else g(x * 0.5, n - 1)
def f(x):
    return g(x, 3)
""", ["R = 0.3", "g = lambda x, n: x"]),
    "closures": ("""
def make(w):
    s = 1.0
    def setter(v):
        nonlocal s
        s = v
    def getter(x):
        return x * np.exp(w) * s
    def f(x):
        setter(3.0)
        return getter(x)
    return f, setter, getter
f, setter, g = make(W)
""", [IN_PLACE]),
    "a closed-over number": ("""
def make(w):
    s = 1.0
    def setter(v):
        nonlocal s
        s = v
    def f(x):
        return x * np.exp(w) * s
    return f, setter
f, setter = make(W)
""", ["setter(4.0)", IN_PLACE]),
    "descriptors": ("""
class D:
    v = 1.0
    def __get__(self, instance, owner=None):
        return self.v * R
class M:
    d = D()
    @functools.cached_property
    def c(self):
        return R * 2
m = M()
def f(x):
    return x * m.d * m.c
""", ["M.__dict__['d'].v = 4.0", "R = 0.7", "del m.c"]),
    "missing attributes": ("""
class M:
    def __init__(self):
        self.store = {"a": 1.0}
    def __getattr__(self, key):
        return self.store[key]
m = M()
def f(x):
    return x * m.a
""", ["m.store['a'] = 3.0", "m.a = 4.0"]),
    "wrappers": ("""
class Wrapper:
    def __init__(self, f):
        self.f = f
    def __call__(self, x):
        return self.f(x) * R
def wrapped(g):
    @functools.wraps(g)
    def inner(*args):
        return g(*args) * R
    return inner
@wrapped
@Wrapper
def g(x):
    return x * np.exp(W)
def f(x):
    return g(x)
""", ["R = 1.9", IN_PLACE]),
    "rules and compiled functions": ("""
@fgrad.custom_jvp
def g(x):
    return x * np.exp(W)
@g.defjvp
def rule(primals, tangents):
    return g(*primals), tangents[0] * R
h = fgrad.jit(lambda x: x * np.exp(W) * R)
def f(x):
    return fgrad.grad(lambda y: np.sum(g(y)))(x) + h(x)
""", ["R = 1.1", IN_PLACE]),
    "bodies": ("""
def f(x):
    a = fgrad.vmap(lambda t: t * np.sum(np.exp(W)) * R)(x)
    b = fgrad.scan(lambda c, t: (c + t * np.exp(W[0]), c * R), 0.0, x)[1]
    return a + b + fgrad.cond(np.sum(x) > 0, lambda t: t * np.sin(W) * R, np.sin, x)
""", [IN_PLACE, "R = 2.2"]),
    "arrays changed while it runs": ("""
def f(x):
    a, i = np.zeros(3), np.array([0, 1])
    y, u = x * a, x[i]
    a[0], i[0] = 5.0, 2
    z, v = x * a, x[i]
    a[0] = 0.0
    return [y + 2 * z + x * a, u + v]
""", []),
    "indices, masks, limits": ("""
I, M, L = np.array([0, 1]), np.array([True, False, True]), np.array([1.0])
def f(x):
    y = np.sum(x[I]) + np.where(M, x, -x)
    return y * 2 if L[0] > 0 else -y
""", ["I[0] = 2", "M[0] = False", "L[0] = -1.0", "M = np.zeros(3, bool)"]),
    "a class made by a class": ("""
class Meta(type):
    k = 2.0
    def get(cls):
        return cls.k
class M(metaclass=Meta):
    pass
def f(x):
    return x * M.get()
""", ["Meta.k = 5.0", "M.k = 6.0"]),
}  # fmt: skip


def run(code, module):
    exec(compile(code, "attack", "exec", dont_inherit=True), module.__dict__)


def same(compiled, f):
    want = np.stack(f(X)) if isinstance(f(X), list) and len(f(X)) == 1 else f(X)
    for _ in range(2):
        got = compiled(X)
        for a, b in zip(*(x if isinstance(x, list) else [x] for x in (got, want)), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("name", ATTACKS)
def test_never_stale(name, monkeypatch):
    code, changes = ATTACKS[name]
    monkeypatch.setitem(sys.modules, "attacked", module := types.ModuleType("attacked"))
    run(BEFORE + code, module)
    compiled = jit(module.f)
    same(compiled, module.f)
    for change in changes:
        run(change, module)
        same(compiled, module.f)


def test_modules_and_imports_inside(monkeypatch):
    module = types.ModuleType("attacked_module")
    run(BEFORE + "def h(x): return x * np.exp(W) * R", module)
    monkeypatch.setitem(sys.modules, "attacked_module", module)

    def f(x):
        from attacked_module import h

        return h(x) + module.R

    compiled = jit(f)
    same(compiled, f)
    for change in ("R = 5.0", IN_PLACE, "h = lambda x: -x"):
        run(change, module)
        same(compiled, f)


def test_what_does_not_change_is_not_recorded_again(monkeypatch):
    for name, (code, _) in ATTACKS.items():
        monkeypatch.setitem(sys.modules, "attacked", module := types.ModuleType("attacked"))
        run(BEFORE + code, module)
        compiled = jit(module.f)
        for _ in range(4):
            compiled(X)
        if name not in ("counter", "descriptors", "closures"):  # these change what they read
            assert "1 program" in compiled.explain(), name


def test_the_report_says_what_has_changed():
    model = types.SimpleNamespace(w=np.ones(3), sizes=[2.0])
    compiled = jit(lambda x: x * np.exp(model.w) * model.sizes[0])
    compiled(X)
    model.w[0] = 2.0
    compiled(X)
    model.sizes[0] = 3.0
    compiled(X)
    said = compiled.explain()
    assert "a float64 array of shape (3,) that the function reads, whose contents have" in said
    assert "a list that the function reads, whose contents have changed" in said
