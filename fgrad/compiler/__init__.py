"""The compiler of `fgrad.jit`: record, simplify, print straight NumPy code, guard, call.

recording   runs the function once and writes down its operations and the truth values it asked
codes       what bytecode reads and writes, and what stands in containers and objects
captured    what the function reads besides its arguments
opening     a copy of it that finds traced arrays there
signature   one kind of call: its inputs and its checks
lowering    operations of fgrad's as the few kinds of node that the passes know
program     these nodes; equal ones are one node
passes/     rules that replace a node by a better one, a file for each family
buffers     who shares memory with whom, by lifetimes
blocks      elementwise clusters over large arrays, a block at a time
printing    one line of NumPy for each node
unpacking   code that takes arguments apart and checks them
paths       the tree of paths through truth values
jitted      the public function
"""
