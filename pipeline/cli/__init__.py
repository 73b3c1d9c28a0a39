"""The command line: arguments, messages, exit codes. Loads nothing heavy before a command runs.

Exit codes: 0 done; 2 the user's input is wrong; 3 a gate failed; 4 an artifact is missing, stale or
damaged; 130 interrupted. Anything else is our bug and shows its traceback.
"""

import os
import signal
import sys
from collections.abc import Sequence

from pipeline.cli.inspect import as_json
from pipeline.cli.parser import check_command, make_parser
from pipeline.errors import STORAGE_ERRORS, ConfigError, PipelineError
from pipeline.escape import terminal
from pipeline.platform_check import check_platform
from pipeline.terminal import set_output_form

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: arguments after the program's name; None: those of this process.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    known = make_parser()
    check_command(known, arguments)
    args = known.parse_args(arguments)
    form = vars(args).get("form", "plain")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_platform()
        with set_output_form(form):
            code: int = args.command(args)
        sys.stdout.flush()
    except PipelineError as error:
        _complain(str(error), form, error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        # An interrupt inside exec(), as of an import that makes a dataclass, counts as not caught
        # for `python -m`, which then dies of it and returns no 130; the next exec() forgets it.
        exec("")
        _complain("interrupted; the same command goes on from here", form, INTERRUPTED)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough: `edgeline show | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        words = f"{error.filename or 'writing'}: {STORAGE_ERRORS[error.errno]}"
        _complain(words, form, ConfigError.exit_code)
        return ConfigError.exit_code
    return code


def _complain(message: str, form: str, code: int) -> None:
    """Say what went wrong on stderr; to a program on stdout, too."""
    if form == "json":
        event = {"event": "error", "exit_code": code, "problems": message.splitlines()}
        print(as_json(event), flush=True)
    print(terminal(message), file=sys.stderr)
