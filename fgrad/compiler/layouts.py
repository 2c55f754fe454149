"""Layouts: products of stacks that are written as those who read them want them to lie.

Attention multiplies matrices for each head, and then puts the heads of a row one beside the other:
``(w @ v).transpose(0, 2, 1, 3).reshape(n, -1)``. The transpose is a view, so the reshape would have
to copy. BLAS can leave gaps between rows and between columns; written with them into the place of
the transposed array, the product costs no more, and both views are for nothing. A product that is
written in columns is computed as that of the transposed matrices, which may change last bits.
"""

from __future__ import annotations

from .program import Builder, Held, Node, Program


def laid_out(program: Program) -> Program:
    """The program with products of stacks in the order of axes in which they are read."""
    orders = _orders(program)
    if not orders:
        return program
    b = Builder({}, share=False)
    new: dict[Node, Node] = {x: x for x in program.inputs}

    def found(x: Node) -> Node:
        if x not in new:
            new[x] = b.literal(x.meta.value if isinstance(x.meta, Held) else x.meta)
        return new[x]

    for node in program.nodes:
        meta = orders.get(node, node.meta)
        ins = map(found, node.ins)
        b.origin = node.origin
        new[node] = b.make(node.kind, ins, meta, node.shape, node.dtype, node.weak)
        new[node].name = new[node].name or node.name
    outputs = [found(y) for y in program.outputs]
    return Program([new[x] for x in program.inputs], b.nodes, outputs)


def _orders(program: Program) -> dict[Node, tuple[int, ...]]:
    """For products that are to lie in another order: their axes, the slowest one first."""
    readers: dict[Node, list[Node]] = {}
    for node in program.nodes:
        for x in node.ins:
            readers.setdefault(x, []).append(node)
    outputs = set(program.outputs)
    out: dict[Node, tuple[int, ...]] = {}
    for node in program.nodes:
        views = readers.get(node, [])
        if node.kind != "matmul" or not views or node in outputs:
            continue
        if any(v.kind != "transpose" or v.meta != views[0].meta for v in views):
            continue
        copied = any(r.kind == "reshape" for v in views for r in readers.get(v, ()))
        # BLAS wants the entries of a row, or those of a column, one after the other.
        if copied and views[0].meta[-1] >= node.ndim - 2:
            out[node] = views[0].meta
    return out
