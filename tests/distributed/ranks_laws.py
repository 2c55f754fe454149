"""The laws of the operations between ranks, checked on all of them: run by mpiexec."""

from __future__ import annotations

import numpy as np

import fgrad
from fgrad import grad, jit, jvp, make_graph, tree, vjp, vmap
from fgrad.distributed import (
    all_gather,
    barrier,
    broadcast,
    pmax,
    pmean,
    pmin,
    ppermute,
    psum,
    recv,
    reduce_scatter,
    send,
    world,
)

comm = world(timeout=60)
rank, size = comm.rank, comm.size
rng = np.random.default_rng(rank)
ring = [(i, (i + 1) % size) for i in range(size)]

#: Operations that are linear, each on arrays that have an axis for the ranks in front.
LINEAR = {
    "psum": lambda x: psum(x, comm),
    "pmean": lambda x: pmean(x, comm),
    "all_gather": lambda x: all_gather(x, comm),
    "all_gather axis": lambda x: all_gather(x, comm, axis=1),
    "all_gather tiled": lambda x: all_gather(x, comm, axis=-1, tiled=True),
    "reduce_scatter": lambda x: reduce_scatter(x, comm),
    "reduce_scatter tiled": lambda x: reduce_scatter(
        tree.map(lambda y: y.repeat(2, 1) if y.ndim > 1 else y, x), comm, tiled=True
    ),
    "broadcast": lambda x: broadcast(x, comm),
    "broadcast from the last": lambda x: broadcast(x, comm, size - 1),
    "ring": lambda x: ppermute(x, comm, ring),
    "one way": lambda x: ppermute(x, comm, [(0, size - 1)]),
    "barrier": lambda x: barrier(x, comm),
}


def draw(dtype: type = np.float64) -> object:
    """A tree with an axis for the ranks in front of each leaf, different on each rank."""
    leaves = [rng.normal(size=(size, *shape)) for shape in ((), (3,), (2, 2))]
    if np.dtype(dtype).kind == "c":
        leaves = [x + 1j * rng.normal(size=x.shape) for x in leaves]
    return {"a": leaves[0].astype(dtype), "b": [leaves[1].astype(dtype), leaves[2].astype(dtype)]}


def inner(a: object, b: object) -> complex:
    """The inner product of all ranks together."""
    mine = sum(np.sum(x * y) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True))
    return complex(psum(complex(mine), comm))


def like(y: object) -> object:
    """Cotangents for a result."""
    return tree.map(lambda a: np.asarray(rng.normal(size=np.shape(a))).astype(a.dtype), y)


def close(a: object, b: object, tolerance: float = 1e-12) -> None:
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
        assert np.asarray(x).dtype == np.asarray(y).dtype


def check_adjoints() -> None:
    for name, f in LINEAR.items():
        for dtype, tolerance in ((np.float64, 1e-12), (np.complex128, 1e-12), (np.float32, 1e-5)):
            x, t = draw(dtype), draw(dtype)
            y, pull = vjp(f, x)
            g = like(y)
            _, u = jvp(f, (x,), (t,))
            close(u, f(t), tolerance)
            forward, back = inner(u, g), inner(t, pull(g)[0])
            assert abs(forward - back) <= tolerance * size * 100, (name, dtype, forward, back)
            assert tree.structure(pull(g)[0]) == tree.structure(x), name


def check_values() -> None:
    x = np.arange(3.0) + rank
    every = np.stack([np.arange(3.0) + r for r in range(size)])
    close(psum(x, comm), every.sum(0))
    close(pmean(x, comm), every.mean(0))
    close(pmax(x, comm), every.max(0))
    close(pmin(x, comm), every.min(0))
    close(all_gather(x, comm), every)
    close(all_gather(x, comm, axis=1), every.T)
    close(all_gather(x, comm, tiled=True), every.ravel())
    close(reduce_scatter(every * (rank + 1), comm), every[rank] * sum(range(1, size + 1)))
    close(reduce_scatter(every.ravel(), comm, tiled=True), every[rank] * size)
    close(broadcast(x, comm, size - 1), every[-1])
    close(ppermute(x, comm, ring), every[(rank - 1) % size])
    close(ppermute(x, comm, [(0, size - 1)]), every[0] if rank == size - 1 else 0 * every[0])
    close(psum(True, comm), np.intp(size))
    close(psum(1, comm), np.int64(size))
    assert psum({}, comm) == {}


def check_dtypes() -> None:
    for dtype in "?bBhHiIlLqQefdgFDG":
        x = (np.arange(4).reshape(2, 2) + rank).astype(dtype)
        every = [(np.arange(4).reshape(2, 2) + r).astype(dtype) for r in range(size)]
        total = np.sum(every, axis=0, dtype=np.intp if dtype == "?" else dtype)
        close(psum(x, comm), total)
        close(all_gather(x, comm), np.stack(every))
        close(broadcast(x, comm, size - 1), every[-1])
        close(ppermute(x, comm, ring), every[(rank - 1) % size])
        rows = np.stack([x] * size)
        close(reduce_scatter(rows, comm), total)
        if dtype not in "FDG":
            close(pmax(x, comm), np.max(every, axis=0))
            close(pmin(x, comm), np.min(every, axis=0))
    if size > 2:  # 2048 + 1 is 2048 in float16
        half = np.array([2048 if rank == 0 else 1], np.float16)
        close(psum(half, comm), np.array([2048 + 2 * ((size - 1) // 2)], np.float16))
    big = np.arange(3.0).astype(">f8") + rank
    close(np.asarray(psum(big, comm), float), np.arange(3.0) * size + sum(range(size)))
    strided = np.arange(12.0).reshape(3, 4)[::2, ::-1] + rank
    close(all_gather(strided, comm), np.stack([strided - rank + r for r in range(size)]))
    close(psum(np.zeros((0, 3)), comm), np.zeros((0, 3)))
    large = np.full(1 << 18, float(rank))
    close(psum([large, np.float32(rank)], comm)[0][:2], np.full(2, float(sum(range(size)))))


def check_extremes_of_special_values() -> None:
    x = np.array([np.nan if rank == 0 else 1.0, np.inf if rank else -np.inf, 0.0 if rank else -0.0])
    high, low = pmax(x, comm), pmin(x, comm)
    assert np.isnan(high[0])
    assert np.isnan(low[0])
    assert (high[1], low[1]) == (np.inf if size > 1 else -np.inf, -np.inf)
    assert len({*comm.texts(high.tobytes().hex())}) == 1
    assert len({*comm.texts(low.tobytes().hex())}) == 1
    # Ranks that tie share the derivative; all read the maximum, so there are `size` cotangents.
    g = grad(lambda x: np.sum(pmax(x, comm)))(np.array([2.0, float(rank)]))
    close(g, np.array([1.0, float(size) if rank == size - 1 else 0.0]))
    _, t = jvp(lambda x: pmin(x, comm), (np.ones(2),), (np.full(2, float(rank)),))
    close(t, np.full(2, (size - 1) / 2))


def loss(x: np.ndarray) -> np.ndarray:
    """Something that isn't linear, with all kinds of operations, a scalar on each rank."""
    y = np.tanh(x + pmean(x, comm))
    z = ppermute(y * y, comm, ring) * np.exp(-pmax(np.abs(x), comm))
    w = np.sum(all_gather(z, comm) ** 2, axis=0) * broadcast(np.sin(x), comm)
    return psum(np.sum(w * x), comm) + np.sum(z) * (rank + 1)


def differences(f: object, x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The gradient of the sum over the ranks, in each number of each rank, one after the other."""
    out = np.zeros((size, x.size))
    for r in range(size):
        for k in range(x.size):
            step = np.zeros(x.size)
            step[k] = h * (r == rank)
            out[r, k] = (psum(f(x + step), comm) - psum(f(x - step), comm)) / (2 * h)
    return out[rank]


def check_gradients() -> None:
    x = rng.normal(size=3)
    close(grad(loss)(x), differences(loss, x), 1e-7)


def check_second_order() -> None:
    x, t = rng.normal(size=3), rng.normal(size=3)

    def slope(x: np.ndarray) -> np.ndarray:
        return np.sum(grad(loss)(x) * np.cos(np.arange(3.0)))

    close(grad(slope)(x), differences(slope, x), 1e-6)
    forward = jvp(grad(loss), (x,), (t,))[1]
    h = 1e-5
    close(forward, (grad(loss)(x + h * t) - grad(loss)(x - h * t)) / (2 * h), 1e-6)
    _, twice = jvp(lambda x: jvp(loss, (x,), (t,))[1], (x,), (t,))
    up, down = (jvp(loss, (x + s * t,), (t,))[1] for s in (h, -h))
    close(twice, (up - down) / (2 * h), 1e-6)


def check_vmap() -> None:
    xs = rng.normal(size=(4, size, 3))
    for name, f in LINEAR.items():
        one = vmap(lambda x, f=f: f(x))(xs)
        close(one, np.stack([f(x) for x in xs]))
        both = vmap(lambda x, y, f=f: f([x, y]), (1, None), 1)(np.swapaxes(xs, 0, 1), xs[0])
        close(np.moveaxis(both[1], 1, 0)[0], f(xs[0]))
        assert both[0].shape == both[1].shape, name
    close(vmap(loss)(xs[:, 0]), np.stack([loss(x) for x in xs[:, 0]]))
    close(vmap(grad(loss))(xs[:, 0]), np.stack([grad(loss)(x) for x in xs[:, 0]]))
    close(vmap(lambda x: send_round(x))(xs), np.stack([send_round(x) for x in xs]))


def check_compiled() -> None:
    x = rng.normal(size=3)
    for f in (loss, grad(loss), lambda x: jvp(loss, (x,), (x,))[1], grad(jit(loss)), vmap(loss)):
        y = np.stack([x, 2 * x]) if f.__name__ == "loss" and f is not loss else x
        compiled = jit(f)
        for _ in range(3):
            close(compiled(y), f(y))
            y = y * 1.1
    # One rank records while the others run what they have: they meet all the same.
    compiled = jit(lambda x, n: psum(x, comm) * np.sum(n))
    for length in (1, 2, 2, 3):
        n = np.ones(length if rank == 0 else 1)
        close(compiled(x, n), psum(x, comm) * np.sum(n))


def check_order() -> None:
    def many(x: np.ndarray) -> list:
        # Of equal shapes, none of which needs another: to exchange two would exchange values.
        y = [psum(x * k, comm) for k in range(4)]
        z = [psum(x, comm), psum(x, comm)]
        _ = psum(x * 100, comm)  # of no use, and made on all ranks
        return [*y, *z, ppermute(x, comm, ring), psum(x * 7, comm)]

    x = np.arange(3.0) + rank
    want = many(x)
    for f in (jit(many), make_graph(many)(x), jit(jit(many))):
        for _ in range(3):
            # Ranks take turns in being compiled: the others run uncompiled code meanwhile.
            close(f(x) if rank % 2 else many(x), want)
        close(f(x), want)
    text = str(make_graph(many)(x))
    assert text.count("psum") == 8, text


def check_loops() -> None:
    xs = rng.normal(size=(5, 2))

    def f(x: np.ndarray) -> np.ndarray:
        def body(c: np.ndarray, x: np.ndarray) -> tuple:
            c = np.tanh(pmean(c + x, comm) + x)
            return c, psum(c, comm)

        c, ys = fgrad.scan(body, np.zeros(2), x)
        return np.sum(c) + np.sum(ys)

    def unrolled(x: np.ndarray) -> np.ndarray:
        c, total = np.zeros(2), 0.0
        for row in x:
            c = np.tanh(pmean(c + row, comm) + row)
            total = total + np.sum(psum(c, comm))
        return np.sum(c) + total

    close(f(xs), unrolled(xs))
    close(grad(f)(xs), grad(unrolled)(xs))
    close(jit(f)(xs), unrolled(xs))
    close(jit(grad(f))(xs), grad(unrolled)(xs))
    again = fgrad.checkpoint(unrolled)
    close(grad(again)(xs), grad(unrolled)(xs))
    close(jit(grad(again))(xs), grad(unrolled)(xs))
    close(jit(fgrad.grad(jit(unrolled)))(xs), grad(unrolled)(xs))
    chosen = fgrad.cond(True, lambda x: psum(x, comm), lambda x: x, xs)
    close(chosen, psum(xs, comm))


def send_round(x: np.ndarray) -> np.ndarray:
    """The value of rank 0, sent from rank to rank, doubled by each."""
    if rank == 0:
        return send(np.sin(x), 1, comm, tag=3) if size > 1 else np.sin(x)
    y = recv(np.zeros_like(x), rank - 1, comm, tag=3, after=x) * 2
    return send(y, rank + 1, comm, tag=3) if rank + 1 < size else y


def check_transfers() -> None:
    x = rng.normal(size=3)
    first = broadcast(x, comm)
    close(send_round(x), np.sin(first) * 2**rank)
    g = grad(lambda x: np.sum(send_round(x)))(x)
    total = sum(2**r for r in range(size))
    close(g, np.cos(first) * total if rank == 0 else np.zeros(3))
    t = rng.normal(size=3)
    _, u = jvp(send_round, (x,), (t,))
    close(u, np.cos(first) * broadcast(t, comm) * 2**rank)
    compiled = jit(grad(lambda x: np.sum(send_round(x))))
    for _ in range(2):
        close(compiled(x), g)
    second = grad(lambda x: np.sum(grad(lambda x: np.sum(send_round(x)))(x)))(x)
    # The gradient of rank 0 has the cotangents of all ranks; that of the others is zero.
    close(second, -np.sin(first) * total if rank == 0 else np.zeros(3))
    tree_of = {"n": np.array([rank], np.int32), "x": x}
    if size > 1 and rank < 2:
        got = recv(tree_of, 1, comm) if rank == 0 else send(tree_of, 0, comm)
        assert got["n"].dtype == np.int32
        assert int(got["n"][0]) == 1


def check_split() -> None:
    part = comm.split(rank % 2)
    assert part is not None
    assert part.size == len(range(rank % 2, size, 2))
    close(psum(np.float64(rank), part), np.float64(sum(range(rank % 2, size, 2))))
    alone = comm.split(None if rank else 0)
    assert (alone is None) == bool(rank)


if __name__ == "__main__":
    with comm:
        for name, check in [*globals().items()]:
            if name.startswith("check_"):
                comm.barrier()
                check()
                if rank == 0:
                    print("holds", name, flush=True)
