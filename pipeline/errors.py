"""The errors a user may see, and the exit code of each; anything else is our bug."""

import errno

STORAGE_ERRORS = {  # what the system says -> what to do
    errno.ENOSPC: "the disk is full: make room, or use another --runs and --exported folder",
    errno.EDQUOT: "the disk quota is used up: make room, or use another --runs folder",
    errno.EFBIG: "a limit on the size of files is reached: raise it (ulimit -f)",
    errno.EROFS: "the disk is read-only: use another --runs and --exported folder",
    errno.EACCES: "no permission: change it, or use another --runs and --exported folder",
    errno.EPERM: "no permission: change it, or use another --runs and --exported folder",
}


class PipelineError(Exception):
    """An error with a message for the user: where, what was wanted, what came, what to do."""

    exit_code = 1


class ConfigError(PipelineError):
    """The user's config, data or arguments are wrong; holds one line a problem."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        """Keep every problem, in order of discovery."""
        super().__init__("\n".join(problems))
        self.problems = problems


class ConversionError(PipelineError):
    """A file cannot be made from this model: the converter or a compiler refuses it, or crashes."""


class ShortageError(PipelineError):
    """Memory or disk ran out; what was done is kept, and the same command goes on from there."""

    exit_code = 2


class GateError(PipelineError):
    """A gate failed: the measurements are kept and nothing is published."""

    exit_code = 3


class ArtifactError(PipelineError):
    """An artifact is missing, stale or does not match its hash."""

    exit_code = 4
