"""The compiler of `fgrad.jit`: record, simplify, print straight NumPy code, guard, call.

recording   runs the function once and writes down its operations and the truth values it asked
codes       what bytecode reads and writes, and what stands in containers and objects
captured    what the function reads besides its arguments
opening     a copy of it that finds traced arrays there
signature   one kind of call: its inputs and its checks
lowering    operations of fgrad's as the few kinds of node that the passes know
formulas    operations that are taken apart
program     these nodes; equal ones are one node
passes/     rules that replace a node by a better one, a file for each family
products    sums of small products as products of stacks
small       how large products are that BLAS does without copies
tiling      products as stacks of such, and whether that is quicker
tiles       their lines
layouts     products of stacks that lie as those who read them want it
rows        how arrays of several shapes lie beside one loop over rows
blocks      what goes over large arrays together, a block of rows at a time
bits        choices without branches
buffers     who shares memory with whom, by lifetimes
looping     a block's loop as a function
threads     such loops on two threads
scans/      loops of known length: what moves out of them, and how they are printed
printing    one line of NumPy for each node
spelling    what these lines are made of
chunks      long programs as several functions
pools       what a program keeps from call to call
native/     machine code in place of these lines
cupy/       the same for CuPy's arrays: calls of CuPy's, and kernels for the device
held        who holds an array besides a list
unpacking   code that takes arguments apart and checks them
paths       the tree of paths through truth values
transformed compiled functions under other transformations
pullbacks   reverse mode: a program forward, and one back
backends    which of both a program is made of
auto        programs that become machine code when that pays
jitted      the public function
"""
