"""Compiled functions of CuPy's arrays: straight code that calls CuPy's own functions.

formulas    what is recorded in place of code for the host's processor
recording   runs the function once on arrays of the device
presence    which values of a graph are on the device
meaning     what each operation is computed by: the host, or the device
places      the same of the nodes of programs, and of the bodies of loops
parts       arrays that are joined and taken apart: operations on their parts
scalars     what an elementwise operation computes of one entry, in C
kernels     a cluster of such operations as one of CuPy's kernels
clusters    which operations are one
arena       which arrays live in memory that is kept from call to call
printing    a program as lines of Python that call CuPy
loops       a loop as such lines, for each step
segments    the parts of a path, as they are for the device
calls       what is compiled, and what runs as it is written
"""
