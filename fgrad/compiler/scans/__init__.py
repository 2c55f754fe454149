"""Loops of known length as nodes with a body: what the compiler does with them.

scan        the node: its operands, its body, its results
residuals   what a loop forward computes is handed to the loop back, not computed again
editing     a loop taken apart, and put together again with less in it
stacking    operations of a step, for all steps at once
hoisting    what no carry is needed for goes in front of the loop
sinking     what no carry needs goes behind it; sums over steps become one product
optimizing  all of that, from the outermost loop inwards
settling    results in places, carries kept as tracks: what is printed
printing    the loop as a function of its own
"""

from __future__ import annotations

from . import printing as printing
