"""Run run_on_device.py again and again, each time in a process of its own; a script for any Python.

Its imports are done here once, and each request is served by a fork of this process: it starts in a
hundredth of the time, and a crash ends only the fork. warm.py sends a line of JSON a request. NumPy
only; Python 3.7.
"""

import contextlib
import importlib
import json
import os
import sys
import traceback
from typing import Any, NoReturn

program: Any = importlib.import_module("run_on_device")  # it lies beside this file

IMPORTS = ("argparse", "csv", "tempfile", "zipfile", "numpy.lib.format", "importlib.metadata")


def main(replies: int, runtime: str) -> None:
    """Serve requests from standard input, and reply with the exit status, until there are no more.

    Args:
        replies: descriptor that status after status is written to, a line each.
        runtime: name of the interpreter in program.MODULES.
    """
    for name in (*IMPORTS, program.MODULES[runtime][0]):
        with contextlib.suppress(ImportError):  # the program says it better
            importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            os.close(replies)  # else the end of this process before its fork's goes unnoticed
            _become(asked["arguments"], asked["said"])
        status = os.waitpid(child, 0)[1]
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        os.write(replies, b"%d\n" % code)


def _become(arguments: Any, said: str) -> NoReturn:
    """Be the program, called with some arguments, and end as it does."""
    code = 1
    try:
        file = os.open(said, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the next request is not for this one
        sys.argv = [program.__file__, *arguments]
        code = program.main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
