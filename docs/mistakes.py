"""Twenty mistakes, as they are made with fgrad, JAX and torch; `make_errors.py` runs them.

Each snippet is a program of one or a few lines; the last one raises. None where a library has no
such function, or where the line is no mistake there.
"""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """What went wrong, in words, and as a program for each library."""

    title: str
    fgrad: str
    jax: str | None
    torch: str | None


MISTAKES = [
    Mistake(
        "The gradient of an array",
        "fgrad.grad(np.square)(np.ones(3))",
        "jax.grad(jnp.square)(jnp.ones(3))",
        "torch.func.grad(torch.square)(torch.ones(3))",
    ),
    Mistake(
        "An integer to differentiate in",
        "fgrad.grad(lambda n: n * 2.0)(np.array(3))",
        "jax.grad(lambda n: n * 2.0)(jnp.array(3))",
        "torch.func.grad(lambda n: n * 2.0)(torch.tensor(3))",
    ),
    Mistake(
        "Parameters that hold a string",
        'fgrad.grad(lambda p: np.sum(p["w"]))({"w": np.ones(2), "name": "first"})',
        "jax.grad(lambda p: jnp.sum(p['w']))({'w': jnp.ones(2), 'name': 'first'})",
        "torch.func.grad(lambda p: torch.sum(p['w']))({'w': torch.ones(2), 'name': 'first'})",
    ),
    Mistake(
        "Writing into a traced array",
        "def f(x):\n    x[0] = 0.0\n    return np.sum(x)\n\n\nfgrad.grad(f)(np.ones(3))",
        "def f(x):\n    x[0] = 0.0\n    return jnp.sum(x)\n\njax.grad(f)(jnp.ones(3))",
        None,
    ),
    Mistake(
        "A function of the module math",
        "fgrad.grad(lambda x: math.sin(x))(1.0)",
        "jax.grad(lambda x: math.sin(x))(1.0)",
        None,
    ),
    Mistake(
        "A list of traced values made into an array",
        "fgrad.grad(lambda x: np.sum(np.array([x, 1.0])))(2.0)",
        "jax.grad(lambda x: jnp.sum(jnp.asarray(np.array([x, 1.0]))))(2.0)",
        None,
    ),
    Mistake(
        "A branch on a mapped value",
        "fgrad.vmap(lambda x: x if x > 0 else -x)(np.ones(3))",
        "jax.vmap(lambda x: x if x > 0 else -x)(jnp.ones(3))",
        "torch.func.vmap(lambda x: x if x > 0 else -x)(torch.ones(3))",
    ),
    Mistake(
        "Mapped arguments of two lengths",
        'fgrad.vmap(lambda a, b: a + b)(np.ones(3), {"b": np.ones(4)})',
        "jax.vmap(lambda a, b: a + b)(jnp.ones(3), {'b': jnp.ones(4)})",
        "torch.func.vmap(lambda a, b: a + b['b'])(torch.ones(3), {'b': torch.ones(4)})",
    ),
    Mistake(
        "in_axes for the wrong number of arguments",
        "fgrad.vmap(lambda a, b: a + b, in_axes=(0,))(np.ones(3), 1.0)",
        "jax.vmap(lambda a, b: a + b, in_axes=(0,))(jnp.ones(3), 1.0)",
        "torch.func.vmap(lambda a, b: a + b, in_dims=(0,))(torch.ones(3), torch.tensor(1.0))",
    ),
    Mistake(
        "A tangent of another shape",
        "fgrad.jvp(np.sin, (np.ones(3),), (np.ones(2),))",
        "jax.jvp(jnp.sin, (jnp.ones(3),), (jnp.ones(2),))",
        "torch.func.jvp(torch.sin, (torch.ones(3),), (torch.ones(2),))",
    ),
    Mistake(
        "A cotangent of another shape",
        "fgrad.vjp(np.sin, np.ones(3))[1](np.ones(2))",
        "jax.vjp(jnp.sin, jnp.ones(3))[1](jnp.ones(2))",
        "torch.func.vjp(torch.sin, torch.ones(3))[1](torch.ones(2))",
    ),
    Mistake(
        "A traced value that escapes",
        "kept = []\nfgrad.grad(lambda x: (kept.append(x), x * 2)[1])(1.0)\nnp.sin(kept[0])",
        "kept = []\njax.grad(lambda x: (kept.append(x), x * 2)[1])(1.0)\njnp.sin(kept[0])",
        None,
    ),
    Mistake(
        "A mask that is computed, in a compiled function",
        "fgrad.jit(lambda x: x[x > 0])(np.ones(3))",
        "jax.jit(lambda x: x[x > 0])(jnp.ones(3))",
        None,
    ),
    Mistake(
        "A number of steps, in a compiled function",
        "fgrad.jit(lambda x, n: sum(x for _ in range(n)))(1.0, 3)",
        "jax.jit(lambda x, n: sum(x for _ in range(n)))(1.0, 3)",
        None,
    ),
    Mistake(
        "A static argument without a hash",
        "fgrad.jit(lambda x, n: x, static_argnums=1)(1.0, [2])",
        "jax.jit(lambda x, n: x, static_argnums=1)(1.0, [2])",
        None,
    ),
    Mistake(
        "A carry that changes its shape",
        "fgrad.scan(lambda c, x: (np.stack([c, x]), None), 0.0, np.ones(3))",
        "jax.lax.scan(lambda c, x: (jnp.stack([c, x]), None), 0.0, jnp.ones(3))",
        None,
    ),
    Mistake(
        "Branches of two shapes",
        "fgrad.jit(lambda p: fgrad.cond(p, lambda: np.zeros(2), lambda: np.zeros(3)))(np.True_)",
        "jax.jit(lambda p: jax.lax.cond(p, lambda: jnp.zeros(2), lambda: jnp.zeros(3)))(True)",
        None,
    ),
    Mistake(
        "A random key that is none",
        "fgrad.random.normal(0, (2,))",
        "jax.random.normal(0, (2,))",
        None,
    ),
    Mistake(
        "A custom rule of the wrong structure",
        "@fgrad.custom_vjp\ndef f(x, y):\n    return x * y\n\n\n"
        "f.defvjp(lambda x, y: (x * y, None), lambda kept, g: g)\n"
        "fgrad.grad(f)(1.0, 2.0)",
        "@jax.custom_vjp\ndef f(x, y):\n    return x * y\n\n"
        "f.defvjp(lambda x, y: (x * y, None), lambda kept, g: g)\n"
        "jax.grad(f)(1.0, 2.0)",
        None,
    ),
    Mistake(
        "Saving a value in the middle of a computation",
        'fgrad.grad(lambda x: (np.savetxt("x.txt", x), np.sum(x))[1])(np.ones(3))',
        "jax.grad(lambda x: (np.savetxt('x.txt', x), jnp.sum(x))[1])(jnp.ones(3))",
        None,
    ),
]
