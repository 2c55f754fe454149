"""The native generator: parts of a program as machine code, by way of llvmlite.

regions     which operations are lowered, and which NumPy does
kernels     a part of a program: its arguments, its code, the call of it
groups      operations that share a nest of loops
bodies      the nodes of a program or of a loop's body, lowered in order
nests       elementwise operations with their sums; copies
products    matrix products
control     loops and branches
rules       the other kinds of node
scalars     functions of NumPy, of one element
places      arrays by strides, views, space
loops       what is printed
llvm, c     the printers
engine      compiling and linking
entry       calling, with checks of the arguments
vectors     exp, log, sin and their like
blas, disk  large products; a cache
generate    all of it, and what was refused
"""

from .generate import Generated, available, generate, native_options, numpy_options, said

__all__ = ["Generated", "available", "generate", "native_options", "numpy_options", "said"]
