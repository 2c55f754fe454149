"""`fori_loop`: a loop over integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from ..errors import TracerConversionError
from ..tracebacks import boundary
from .bodies import known
from .branches import check_scalar_of
from .carries import Carry
from .scans import check_step, fold, stages
from .whiles import traced_bounds


@boundary
def fori_loop(lower: int, upper: int, body_fun: Callable[..., Any], init_val: Any) -> Any:
    """``for i in range(lower, upper): val = body_fun(i, val)``, from the first `val` to the last.

    >>> fori_loop(0, 4, lambda i, x: x + i, 0.0)
    6.0

    Reverse mode works, also for bounds that are traced, unlike in JAX: see `while_loop`.

    Args:
        lower, upper: integers, the second one excluded.
        body_fun: a function of an integer (a Python one, if both bounds are known) and of the
            carry that returns a carry like it.
        init_val: the first carry.

    Raises: see `scan`.
    """
    check_step("fori_loop", body_fun)
    for bound in (lower, upper):
        check_scalar_of(
            "fori_loop", "iu", "integers as its bounds", bound, "convert it: n.astype(int)"
        )
    if known(lower) is None or known(upper) is None:
        return traced_bounds(lower, upper, body_fun, init_val)
    carry = Carry("fori_loop", body_fun, init_val)
    low, high = int(known(lower)), int(known(upper))
    n = max(high - low, 0)

    def step(c: Any, i: Any) -> tuple[Any, Any]:
        return body_fun(i, c), None

    if stages(body_fun, carry.leaves):
        try:
            return fold(carry, step, [], tree.structure(0), n, False, start=low)[0]
        except TracerConversionError:
            pass
    leaves = carry.leaves
    if n == 0:
        return fold(carry, step, [], tree.structure(0), n, False, start=low)[0]
    for i in range(low, high):
        leaves = carry.next(body_fun(i, carry.tree(leaves)))
    return carry.tree(leaves)
