"""Whose fault an error is: the user's, who can mend it, or the machine's, which may pass."""

from __future__ import annotations


class InputError(Exception):
    """Something that the user gave is wrong; ``str(error)`` is what the user sees.

    The command line prints each line of it to stderr and exits with 2, without a traceback.

    Example:
        >>> import lindiff
        >>> try:
        ...     lindiff.read("results/nowhere")
        ... except lindiff.InputError as error:
        ...     print(error)
        results/nowhere: no such folder; results has results of: tiny
    """


# What allocators, devices and the system say in errors that have no number.
_NO_MEMORY = ("allocate memory", "out of memory", "not enough memory", "alloc_failed")
_MACHINE = (
    *_NO_MEMORY, "cuda error", "cudnn error", "start new thread", "worker thread",
    "resource temporarily unavailable", "failed to map segment",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocator, of Python, NumPy, Arrow or torch, found no memory.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
    """
    return isinstance(error, MemoryError) or _says(error, _NO_MEMORY)


def is_of_machine(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, is of the machine: memory, files, devices.

    Such an error says nothing of a cell or of a file's content: it may be gone at the next try.

    >>> is_of_machine(OSError(5, "Input/output error")), is_of_machine(ValueError("d is 0"))
    (True, False)
    """
    while error is not None:
        # Arrow raises an OSError without a number where the content of a file is damaged.
        system = isinstance(error, OSError) and error.errno is not None
        if system or isinstance(error, MemoryError) or _says(error, _MACHINE):
            return True
        error = error.__cause__
    return False


def machine_text(error: BaseException) -> str:
    """What to tell a user of an error that is of the machine: one line."""
    if is_out_of_memory(error):
        what = f"out of memory ({error})" if str(error) else "out of memory"
    elif isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        what = f"{place}{error.strerror} (errno {error.errno})"
    else:
        what = str(error)
    return f"{what}; this is of the machine, and what was finished is kept: mend it and run again"


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    # These are of a value, whatever it says.
    of_value = isinstance(error, ValueError | LookupError | TypeError | ArithmeticError)
    return not of_value and any(word in text for word in words)
