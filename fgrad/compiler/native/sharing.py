"""Sharing: the parts of a nest done by several threads, as text in LLVM's language.

The other threads are made for one nest and end with it, some 20 microseconds: there is nothing to
shut down, and nothing that a forked process could miss. They touch nothing of Python's. Each takes
the next part that nobody has taken, so one that has to wait for a core holds up little. Where there
is no thread to be had, or the call comes from a thread of the user's, whose others keep the cores
busy, the one that calls does all parts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from .loops import Function

#: Statements that are worth another thread.
BUSY = 1 << 20
#: The system's functions, and a symbol whose address is the number of Python's main thread.
DECLARED = """\
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i64 @pthread_self()
@fgrad_main_thread = external global i8
"""


def possible() -> bool:
    """Whether this system has the threads that are called."""
    return os.name == "posix"


def definitions(fn: Function, types: Sequence[str], parts: int, threads: int) -> str:
    """The functions that have the parts of a nest done.

    Args:
        fn: the nest.
        types: of its parameters, without the numbers of the parts.
        parts: how many there are.
        threads: how many may do them.
    """
    count = min(threads, parts)
    ins = ", ".join(f"{t} %x{i}" for i, t in enumerate(types))
    shared = f"define internal void @{fn.name}.shared({ins}) noinline nounwind {{"
    alone = [f"  call void @{fn.name}({ins}, i64 0, i64 {parts})", "  ret void"]
    if count == 1:
        return "\n".join([shared, *alone, "}", ""])
    block = [f"  %at{i} = getelementptr i64, ptr %block, i64 {i + 1}" for i in range(len(types))]
    lines = [shared, f"  %block = alloca [{len(types) + 1} x i64]"]
    lines += [f"  %handle{k} = alloca i64" for k in range(1, count)]
    lines += [
        "  %self = call i64 @pthread_self()",
        "  %mine = icmp eq i64 %self, ptrtoint (ptr @fgrad_main_thread to i64)",
        "  br i1 %mine, label %many, label %alone", "alone:", *alone, "many:", *block,
        "  store i64 0, ptr %block",
        *(f"  store {t} %x{i}, ptr %at{i}" for i, t in enumerate(types)),
    ]  # fmt: skip
    for k in range(1, count):
        lines.append(f"  %made{k} = call i32 @pthread_create(ptr %handle{k}, ptr null, "
                     f"ptr @{fn.name}.thread, ptr %block)")  # fmt: skip
    lines.append(f"  %done = call ptr @{fn.name}.thread(ptr %block)")
    for k in range(1, count):
        lines += [
            f"  %good{k} = icmp eq i32 %made{k}, 0",
            f"  br i1 %good{k}, label %wait{k}, label %next{k}", f"wait{k}:",
            f"  %thread{k} = load i64, ptr %handle{k}",
            f"  %joined{k} = call i32 @pthread_join(i64 %thread{k}, ptr null)",
            f"  br label %next{k}", f"next{k}:",
        ]  # fmt: skip
    lines += [
        "  ret void", "}",
        f"define internal ptr @{fn.name}.thread(ptr %block) noinline nounwind {{", *block,
        *(f"  %x{i} = load {t}, ptr %at{i}" for i, t in enumerate(types)), "  br label %more",
        "more:", "  %k = atomicrmw add ptr %block, i64 1 seq_cst", "  %next = add i64 %k, 1",
        f"  %some = icmp ult i64 %k, {parts}", "  br i1 %some, label %part, label %end", "part:",
        f"  call void @{fn.name}({ins}, i64 %k, i64 %next)", "  br label %more", "end:",
        "  ret ptr null", "}",
    ]  # fmt: skip
    return "\n".join([*lines, ""])
