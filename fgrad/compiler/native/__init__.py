"""The native generator: parts of a program as machine code, by way of llvmlite.

regions     which operations are machine code, and which NumPy does, in loops of NumPy's too
judging     whether an operation can be lowered, and if not, why
kernels     a part of a program: its arguments, its code, the call of it
groups      operations that share a nest of loops
bodies      the nodes of a program or of a loop's body, lowered in order
clusters    elementwise operations with their sums as one nest, which threads may share
nests       functions of loops over memory; copies
products    matrix products; einsums: sums of products over named axes
gathers     reading and writing by arrays of indices; adding: additions into slices
running     running sums, places of extremes
control     loops and branches
rules       the other kinds of node
scalars     functions of NumPy, of one element; integers: those of whole numbers
places      arrays by strides, views, space
loops       what is printed
llvm, c     the printers; sharing: what makes threads
engine      compiling and linking
entry       calling, with checks of the arguments
vectors     exp, log, sin and their like
blas, disk  large products; a cache
generate    all of it, and what was refused
"""

from .generate import Generated, available, generate, native_options, numpy_options, said

__all__ = ["Generated", "available", "generate", "native_options", "numpy_options", "said"]
