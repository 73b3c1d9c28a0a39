"""The worker process itself: it serves requests of client.py.

Requests come over standard input, a line of JSON each; replies go to a pipe of their own.
"""

import json
import os
import sys
import traceback
from typing import IO

from pipeline.errors import PipelineError, ShortageError
from pipeline.process_limits import end_with
from pipeline.resource_errors import words_of
from pipeline.worker.operations import Reply, Request, load_operation


def serve(replies: IO[str]) -> None:
    """Serve requests from standard input until it closes."""
    for line in sys.stdin:
        asked = Request(**json.loads(line))
        try:
            answer = Reply(load_operation(asked.operation)(**asked.arguments))
        except PipelineError as error:
            answer = Reply(error=str(error), kind=type(error).__name__)
        except Exception as error:  # the traceback goes to the log; the pipeline gets the reason
            traceback.print_exc()
            short = words_of(error)
            said = f"{type(error).__name__}: {error}" if short is None else short
            kind = PipelineError if short is None else ShortageError
            answer = Reply(error=f"{asked.operation}: {said}", kind=kind.__name__)
        replies.write(json.dumps(vars(answer)) + "\n")
        replies.flush()


if __name__ == "__main__":
    end_with(int(sys.argv[2]))  # where that is not known, it ends when it finds the pipe closed
    serve(os.fdopen(int(sys.argv[1]), "w"))
