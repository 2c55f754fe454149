"""The rows of "Transformations" in `coverage.md`: what to type, and what comes of it.

`transform_samples.py` runs them. A row is a capability, code whose last part is an expression, the
value of that (or the error that it raises), and what there is to say. Rows without code are what
isn't there. In the code `np` is NumPy, `a` is `np.array`, `X` is `a([1.0, 2.0, 3.0])`, and the
names of fgrad stand by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fgrad.errors import (
    CheckError,
    DtypeError,
    ShapeError,
    TracerConversionError,
)

X = np.array([1.0, 2.0, 3.0])
E = np.e


@dataclass(frozen=True)
class Row:
    """A line of the table; `code` is empty where there is nothing to run."""

    capability: str
    code: str
    value: Any
    note: str = ""
    verdict: str = "yes"


def absent(capability: str, verdict: str, note: str) -> Row:
    """A row with nothing to run."""
    return Row(capability, "", None, note, verdict)


DERIVATIVES = (
    Row("grad", "grad(np.tanh)(0.0)", 1.0),
    Row("grad is a function transformation (callable in, callable out)",
        "g = grad(np.sin); g(0.0), g(np.pi)", (1.0, -1.0)),
    Row("grad of grad", "grad(grad(lambda x: x**3))(2.0)", 12.0, "to any order"),
    Row("value_and_grad", "value_and_grad(lambda x: x**2)(3.0)", (9.0, 6.0)),
    Row("has_aux", "grad(lambda x: (x**2, x + 1), has_aux=True)(3.0)", (6.0, 4.0)),
    Row("has_aux with non-array aux", 'grad(lambda x: (x**2, {"spam": "eggs"}), has_aux=True)(3.0)',
        (6.0, {"spam": "eggs"})),
    Row("argnums int", "grad(lambda x, y: x * y, 1)(2.0, 3.0)", 2.0),
    Row("argnums tuple", "grad(lambda x, y: x * y, (0, 1))(2.0, 3.0)", (3.0, 2.0)),
    Row("argnums negative", "grad(lambda x, y: x * y, -1)(2.0, 3.0)", 2.0),
    Row("argnames / by keyword", 'grad(lambda x, y: x * y, argnames="y")(2.0, y=3.0)', 2.0,
        "also for an argument that is passed by position"),
    Row("gradient w.r.t. dict/list/tuple (pytree) argument",
        'grad(lambda p: p["w"] * p["b"][0])({"w": 2.0, "b": [3.0]})', {"w": 3.0, "b": [2.0]}),
    Row("grad of non-scalar output is an error", "grad(np.sin)(X)", ShapeError,
        "it says what it got and names `jacrev` and `vjp`"),
    Row("elementwise_grad", "elementwise_grad(np.square)(X)", 2 * X),
    Row("holomorphic", "grad(np.exp, holomorphic=True)(1j)", np.exp(1j)),
    Row("complex inputs, real output", "grad(lambda z: np.abs(z) ** 2)(1 + 1j)", 2 - 2j,
        "df/dx - i df/dy, as in JAX"),
    Row("jvp (forward mode)", "jvp(np.sin, (0.0,), (2.0,))", (0.0, 2.0)),
    Row("jvp of several arguments at once", "jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))",
        (6.0, 23.0)),
    Row("jvp has_aux", 'jvp(lambda x: (x**2, "spam"), (3.0,), (1.0,), has_aux=True)',
        (9.0, 6.0, "spam")),
    Row("vjp", "y, pullback = vjp(lambda x, w: w * np.sum(x), X, 2.0); y, pullback(1.0)",
        (12.0, (np.full(3, 2.0), 6.0))),
    Row("vjp called twice (closure reusable)",
        "_, pullback = vjp(np.square, 3.0); pullback(1.0), pullback(2.0)", ((6.0,), (12.0,))),
    Row("linearize", "y, push = linearize(np.square, 3.0); y, push(1.0), push(2.0)",
        (9.0, 6.0, 12.0), "its linear operations are a graph, `push.graph`"),
    Row("linear_transpose", "linear_transpose(lambda x: 2 * x[:2], X)(a([1.0, 10.0]))",
        (np.array([2.0, 20.0, 0.0]),)),
    Row("jacfwd", "jacfwd(lambda x: x[:2] ** 2)(X)", np.array([[2.0, 0, 0], [0, 4.0, 0]])),
    Row("jacrev / jacobian", "jacrev(lambda x: x[:2] ** 2)(X)",
        np.array([[2.0, 0, 0], [0, 4.0, 0]]), "`jacobian` chooses by the shapes"),
    Row("hessian", "hessian(lambda x: np.sum(x**3))(X)", np.diag(6 * X)),
    Row("hessian w.r.t. a pytree", 'hessian(lambda p: p["x"] * p["y"])({"x": 2.0, "y": 3.0})',
        {"x": {"x": 0.0, "y": 1.0}, "y": {"x": 1.0, "y": 0.0}}),
    Row("hvp as a named function", "hvp(lambda x: np.sum(x**3), (X,), (np.ones(3),))", 6 * X),
    Row("hvp by jvp of grad", "jvp(grad(lambda x: np.sum(x**3)), (X,), (np.ones(3),))[1]", 6 * X,
        "and in the three other orders"),
    Row("ggnvp (Gauss-Newton vector product)",
        "gnvp(lambda x: 2 * x, (X,), (np.ones(3),))", np.full(3, 4.0),
        "`loss=` takes another loss than the sum of squares"),
    Row("tensor_jacobian_product / hessian_tensor_product",
        "vjp(np.square, X)[1](X), hvp(lambda x: np.sum(x**3), (X,), (X,))",
        ((2 * X**2,), 6 * X**2), "`vjp` and `hvp` are these, for trees too"),
    Row("Taylor mode (jet)",
        "jet(np.exp, (0.0,), ((1.0, 0.0, 0.0),))", (1.0, [1.0, 1.0, 1.0]), "to any order"),
    Row("check_grads", "testing.check_grads(np.sin, (X,), order=2)", None,
        "all laws, for functions and for primitives: `docs/testing.md`"),
)  # fmt: skip

MAPPING = (
    Row("vmap", "vmap(lambda x, y: x * y, (0, None))(X, 2.0)", 2 * X),
    Row("vmap in_axes/out_axes pytrees",
        'vmap(lambda d: {"s": d["x"] + d["y"]}, ({"x": 1, "y": None},), {"s": -1})'
        '({"x": np.ones((2, 3)), "y": a([1.0, 2.0])})["s"]',
        np.array([[2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])),
    Row("vmap axis_name and collectives (psum)",
        'vmap(lambda x: x / psum(x, "i"), axis_name="i")(X)', X / 6,
        "`psum`, `pmean`, `pmax`, `pmin`, `all_gather`, `axis_index`"),
    Row("vmap of random calls",
        "keys = random.split(random.key(0), 3); "
        "vmap(random.normal)(keys) - np.stack([random.normal(k) for k in keys])", np.zeros(3),
        "the same numbers as one by one"),
    Row("vmap chunk size", "vmap(np.square, chunk_size=2)(X)", X**2,
        'also "auto", and in `jacfwd` and its like'),
    Row("custom batching rule (custom_vmap)",
        "f = custom_vmap(lambda x: x); f.def_vmap(lambda n, mapped, x: (10 * x, True)); "
        "f(1.0), vmap(f)(X)", (1.0, 10 * X)),
)  # fmt: skip

RULES = (
    Row("custom_jvp",
        "f = custom_jvp(lambda x: x); f.defjvp(lambda p, t: (f(*p), 7 * t[0])); grad(f)(1.0)", 7.0),
    Row("custom_vjp",
        "f = custom_vjp(lambda x: x); f.defvjp(lambda x: (f(x), x), lambda r, g: (r * g,)); "
        "grad(f)(5.0)", 5.0),
    Row("custom_vjp works under forward mode",
        "f = custom_vjp(lambda x: x); f.defvjp(lambda x: (f(x), x), lambda r, g: (r * g,)); "
        "jvp(f, (5.0,), (1.0,))", (5.0, 5.0), "the rule is transposed; no other library does that"),
    Row("custom_vjp nondiff_argnums",
        "f = custom_vjp(lambda g, x: g(x), nondiff_argnums=0); "
        "f.defvjp(lambda g, x: (f(g, x), x), lambda g, r, ct: (g(ct),)); grad(f, 1)(np.exp, 5.0)",
        E, "also by name, `nondiff_argnames`"),
    Row("custom_vjp with pytree inputs",
        'f = custom_vjp(lambda d: d["x"] * d["n"]); '
        'f.defvjp(lambda d: (f(d), ()), lambda r, g: ({"x": 7 * g, "n": None},)); '
        'grad(lambda x: f({"x": x, "n": 2}))(1.0)', 7.0),
    Row("custom_gradient", "f = custom_gradient(lambda x: (x**2, lambda g: 7 * g)); grad(f)(3.0)",
        7.0, "forward mode too"),
    Row("stop_gradient", "grad(lambda x: x * stop_gradient(x))(3.0)", 3.0),
    Row("closure_convert",
        "w = 3.0; f, hoisted = closure_convert(lambda x: w * x, 2.0); f(2.0, *hoisted)", 6.0,
        "for rules of your own; `custom_root` and its like close over traced values by themselves"),
    Row("checkpoint / remat", "grad(checkpoint(lambda x: np.sin(np.exp(x))))(0.0)", np.cos(1.0)),
    Row("remat policies",
        "f = checkpoint(lambda x: np.exp(checkpoint_name(np.sin(x), 's')), "
        "policy=checkpoint_policies.names('s')); grad(f)(0.0)", 1.0,
        "`names`, `dots`, `everything`"),
    absent("no-grad context", "no",
        "nothing is recorded outside of a transformation, so there is nothing to switch off; "
        "`stop_gradient(x)` makes a constant of a value"),
)  # fmt: skip

CONTROL = (
    Row("Python control flow on values while differentiating",
        "grad(lambda x: x**2 if x > 0 else -x)(3.0)", 6.0, "the way taken is differentiated"),
    Row("Python control flow under vmap", "vmap(lambda x: x if x > 0 else -x)(X)",
        TracerConversionError,
        "a value stands for all elements, which may go different ways, and Python goes one; "
        "`cond`, `while_loop` and `select` go all, and the error says so. No library has it",
        "refused"),
    Row("cond", "vmap(grad(lambda x: cond(x > 2, np.square, np.negative, x)))(X)",
        np.array([-1.0, -1.0, 6.0]), "under vmap no branch sees elements that aren't its own"),
    Row("switch", "switch(1, [np.sin, np.square, np.exp], 3.0)", 9.0),
    Row("while_loop", "vmap(lambda x: while_loop(lambda x: x < 10, lambda x: x * x, x))(X + 1)",
        np.array([16.0, 81.0, 16.0])),
    Row("reverse mode through while_loop",
        "grad(lambda x: while_loop(lambda x: x < 10, lambda x: x * x, x))(3.0)", 108.0,
        "JAX refuses; the carries are kept"),
    Row("fori_loop", "grad(lambda x: fori_loop(0, 3, lambda i, y: y * x, 1.0))(2.0)", 12.0),
    Row("scan", "scan(lambda c, x: (c + x, c * x), 0.0, X)", (6.0, np.array([0.0, 2.0, 9.0])),
        "`checkpoint_every=` bounds the memory"),
    Row("map", "map(lambda x: x**2, X)", X**2),
    Row("associative_scan", "associative_scan(np.add, X)", np.cumsum(X)),
    Row("custom_root / custom_linear_solve",
        "f = lambda b: custom_linear_solve(lambda x: 4 * x, b, lambda mv, b: b / mv(1.0)); "
        "grad(lambda b: f(b) ** 2)(8.0)", 1.0),
    Row("fixed-point implicit differentiation",
        "round(grad(lambda b: fixed_point(lambda z, b: (z + b / z) / 2, 1.0, b))(4.0), 12)", 0.25,
        "`root`, `argmin` and `implicit` too"),
    Row("ODE solve with gradient",
        "round(grad(lambda k: fgrad.scipy.integrate.odeint(lambda y, t, k: -k * y, 1.0, "
        "a([0.0, 1.0]), k)[-1])(1.0), 6)", round(-1 / E, 6),
        "continuous adjoints; `solve_ivp` too"),
    Row("optimizers minimise (scipy-style)",
        "fgrad.scipy.optimize.minimize(lambda x: np.sum((x - X) ** 2), np.zeros(3)).x.round(6)", X,
        "over trees, differentiable in its parameters; `fgrad_nn` has optax's kind"),
    Row("sparse arrays",
        "S = sparse_matrix([[0.0, 2.0], [1.0, 0.0]]); "
        "f = linear(lambda x: x @ S.T, lambda g, x: g @ S)(lambda x: ((x,), {})); "
        "grad(lambda x: np.sum(f(x) ** 2))(a([1.0, 1.0]))", np.array([2.0, 8.0]),
        "SciPy's, as constants of a linear function; `fgrad.scipy.sparse.linalg` solves with such"),
    Row("sparse Jacobian (colouring)", "fgrad.sparse.jacobian(lambda x: x**2)(X).toarray()",
        np.diag(2 * X), "`fgrad.sparse.hessian` too; pattern and colours are found, or given"),
)  # fmt: skip

GRAPHS = (
    Row("make_jaxpr / readable trace", "str(make_graph(np.sin)(1.0))",
        "sin(a:f64[]):\n  b:f64[] = sin(a)\n  return b"),
    Row("graph replay without tracing (const_graph)",
        "graph = make_graph(grad(np.tanh))(1.0); graph(0.0), vmap(graph)(np.zeros(2))",
        (1.0, np.ones(2)), "a graph is a function, and transforms like one"),
    Row("eval_shape", "eval_shape(lambda x: x @ x.T, np.empty((3, 2))).shape", (3, 3)),
    Row("named scopes in traces",
        'graph = make_graph(named_scope("layer")(np.sin))(1.0); "layer" in str(graph)', True),
    Row("export / serialise a transformed function",
        "graph = make_graph(grad(np.tanh))(1.0); pickle.loads(pickle.dumps(graph))(0.0)", 1.0,
        "graphs by pickle, for as long as the version of fgrad stays; functions that `grad` and "
        "its like return by cloudpickle, as all closures"),
    Row("jit",
        "f = jit(lambda x: np.sum(np.sin(x))); f(0 * X), grad(f)(0 * X), jit(grad(f))(0 * X)",
        (0.0, np.ones(3), np.ones(3)), "to straight NumPy code, without a compiler to install"),
    Row("jit static args", "jit(lambda x, n: x**n, static_argnums=1)(X, 2)", X**2,
        "what is no array is static by itself"),
    absent("jit donated buffers", "no",
        "a compiled function uses its own buffers again, and never writes into arguments"),
    Row("jit ahead-of-time lower/compile",
        "f = jit(np.exp).compile(fgrad.ShapeDtypeStruct((2,), float)); f(np.zeros(2)), "
        "f.explain().count('program 0')", (np.ones(2), 1),
        "`f.compile(*args)`, of arrays or of shapes and dtypes; `f.source(*args)` is the code"),
    Row("Python control flow under jit",
        "f = jit(lambda x: x**2 if x > 0 else -x); f(3.0), f(-3.0), grad(f)(3.0)", (9.0, 3.0, 6.0),
        "each way that is taken is compiled, and chosen by the value"),
    Row("profiling",
        "p = profile(grad(lambda x: np.sum(np.sin(x))), X); "
        "sorted((r.phase, r.operation, r.saved, r.flops) for r in p.rows if r.operation == 'sin')",
        [("backward", "sin", 0, 6), ("forward", "sin", 24, 3)],
        "time, memory and flops of each line, forward and backward, also of compiled code; "
        "flame graphs: `docs/profiling.md`"),
)  # fmt: skip

TREES = (
    Row("pytree: register custom node",
        "class P:\n    def __init__(self, x):\n        self.x = x\n"
        "tree.register(P, lambda p: ((p.x,), None), lambda _, c: P(*c))\n"
        "grad(lambda p: p.x**2)(P(3.0)).x", 6.0),
    Row("pytree: dataclass",
        "@tree.dataclass\nclass P:\n    x: float\ngrad(lambda p: p.x**2)(P(3.0)).x", 6.0),
    Row("pytree: namedtuple",
        "P = collections.namedtuple('P', 'x y'); grad(lambda p: p.x * p.y)(P(2.0, 3.0))",
        (3.0, 2.0)),
    Row("pytree: None leaves", 'grad(lambda p: p["x"] ** 2)({"x": 3.0, "y": None})',
        {"x": 6.0, "y": None}, "an empty subtree, as in JAX"),
    Row("pytree: integer leaf in a differentiated argument",
        'grad(lambda p: p["x"] * p["n"], allow_int=True)({"x": 2.0, "n": 3})',
        {"x": 3.0, "n": None}, "an error without `allow_int`"),
    Row("tree_map and friends", 'tree.map(lambda x: 2 * x, {"x": 1, "y": (2,)})',
        {"x": 2, "y": (4,)}, "`fgrad.tree`: paths, prefixes, `reduce`, `replace`, `freeze`"),
    Row("ravel_pytree / flatten",
        'v, unravel = tree.ravel({"x": X, "y": 4.0}); v, unravel(2 * v)["y"]',
        (np.array([1.0, 2.0, 3.0, 4.0]), 8.0)),
)  # fmt: skip

RANDOM = (
    Row("random keys (explicit state)",
        "k = random.key(0); random.normal(k) == random.normal(k), "
        "random.normal(k) == random.normal(random.split(k)[0])", (True, False),
        "`random.check_reuse` finds keys that are used twice"),
    Row("random fold_in",
        "k = random.key(0); np.array_equal(random.fold_in(k, 1), random.fold_in(k, 2))", False),
    Row("reparametrised sample gradients (gamma, beta, dirichlet, t)",
        "f = lambda s: np.mean(random.gamma(random.key(0), s, (10_000,))); round(grad(f)(2.0), 1)",
        1.0, "in all parameters of continuous distributions; here the mean of samples is s"),
    Row("random distributions",
        "sum(hasattr(random, n) for n in 'ball bernoulli beta binomial categorical cauchy "
        "chisquare choice dirichlet double_sided_maxwell exponential f gamma generalized_normal "
        "geometric gumbel laplace loggamma logistic lognormal maxwell multinomial "
        "multivariate_normal normal orthogonal pareto permutation poisson rademacher randint "
        "rayleigh t triangular truncated_normal uniform wald weibull_min'.split())", 37,
        "all of `jax.random`"),
)  # fmt: skip

DEBUGGING = (
    Row("print of a tracer shows its value",
        'out = []; grad(lambda x: (out.append(f"{x}"), x)[1])(2.0); out[0]',
        "<grad tracer: float64[] = 2.0>",
        "under vmap and in graphs the shape, for there are many values or none"),
    Row("debug.print",
        "out = []; f = lambda x: (debug.print('x = {}', x), x)[1]; "
        "g = make_graph(f)(0.0); printed(lambda: g(1.0)), printed(lambda: vmap(f)(X))",
        ("x = 1.0\n", "x = 1.0\nx = 2.0\nx = 3.0\n"), "once for each element"),
    Row("debug.callback",
        "out = []; f = lambda x: (debug.callback(out.append, x), x * x)[1]; "
        "grad(checkpoint(f))(2.0); vmap(grad(f))(X); out", [2.0, 1.0, 2.0, 3.0],
        "never a second time for what the way back computes again"),
    Row("pure_callback / io_callback",
        "f = lambda x: pure_callback(np.linalg.matrix_rank, np.empty((), int), x); "
        "vmap(f)(np.stack([np.eye(2), np.ones((2, 2))]))", np.array([2, 1]),
        "`external` takes rules, or differences, as well"),
    Row("runtime checks (checkify)",
        "vmap(lambda x: (debug.check(x < 3, 'too large: {}', x), x)[1])(X)", CheckError,
        "`debug.check` raises by itself, where it runs, and names the elements that fail"),
    Row("inspect saved residuals",
        "[(r.operation, r.nbytes) for r in debug.saved_residuals(lambda x: np.exp(2 * x), X)]",
        [("exp", 24)], "`debug.print_saved_residuals` prints them, with lines of the source"),
    Row("debug nans",
        "with debug_nans():\n    try:\n        grad(np.sqrt)(0.0)\n"
        "    except FloatingPointError as e:\n        found = e.explanation\n"
        "found.operation, found.phase, found.cotangent", ("sqrt", "backward", 1.0),
        "stops at the operation that made NaN or infinity of a result; `explain_nonfinite` tells "
        "the line, the operands and the cure: `docs/nonfinite.md`"),
)  # fmt: skip

ARRAYS = (
    Row("integer input to grad", "grad(np.square)(3)", DtypeError,
        "an integer has no derivative; `allow_int=True` makes its gradient None", "refused"),
    Row("float0 tangents for integer inputs", "jvp(lambda x, n: x * n, (2.0, 3), (1.0, None))",
        (6.0, 3.0), "None in the place of float0, everywhere"),
    Row("float32 gradient for float32 input (mean)", "grad(np.mean)(np.float32(X)).dtype",
        np.dtype(np.float32), "for all functions, in all modes"),
    Row("float64 without a flag", "grad(np.sum)(X).dtype", np.dtype(float)),
    Row("float16 / bfloat16", "grad(np.sum)(np.float16(X)).dtype", np.dtype(np.float16),
        "NumPy has no bfloat16; that of `ml_dtypes` is refused by name"),
    Row("plain numpy functions dispatch on tracers (__array_ufunc__)",
        "grad(lambda x: np.add.reduce(np.exp(x)))(np.zeros(3))", np.ones(3),
        "methods of ufuncs too"),
    Row("plain numpy functions dispatch on tracers (__array_function__)",
        "grad(lambda x: np.linalg.norm(np.stack([x, x])))(8.0)", 2**0.5,
        "each function: see below"),
    Row("in-place update of a traced array",
        "def f(x):\n    x[0] = 7.0\n    return np.sum(x)\ngrad(f)(X)", TracerConversionError,
        "a traced array is a value: what others hold of it must not change; the error names "
        "`fgrad.at(x)[i].set(v)`. `x += y` makes a new array", "refused"),
    Row("functional indexed update (x.at[i].set)", "grad(lambda x: np.sum(x.at[0].set(7.0)))(X)",
        np.array([0.0, 1.0, 1.0]), "also add, multiply, min, max; `at(x)` for plain arrays"),
    Row("memory guarding of inputs against mutation",
        "c = np.ones(3)\ndef f(x):\n    y = x * c\n    c[:] = 7\n    return np.sum(y)\ngrad(f)(X)",
        np.ones(3), "small arrays are copied; large ones read-only while a gradient needs them"),
    absent("GPU arrays", "not tested", "CuPy's, on a stand-in only: see `docs/gpu.md`"),
    absent("CuPy arrays as inputs", "not tested",
        "on hardware; every row of the tests' table runs on a stand-in that has CuPy's signatures, "
        "refusals and dtypes: `docs/gpu.md`"),
    absent("sharding / pmap / shard_map", "no",
        "a process computes on one device; `vmap` with `axis_name` is the same program on one"),
)  # fmt: skip

SECTIONS = {
    "Derivatives": DERIVATIVES,
    "Mapping": MAPPING,
    "Rules and memory": RULES,
    "Control flow and solvers": CONTROL,
    "Graphs and compilation": GRAPHS,
    "Trees": TREES,
    "Randomness": RANDOM,
    "Debugging": DEBUGGING,
    "Arrays": ARRAYS,
}
