#!/usr/bin/env bash
# CPython: a KeyboardInterrupt that is raised while exec() runs a string, and that the program
# catches, still decides how the process ends under `python -m`: by SIGINT, not by its exit code.
#
# Versions: CPython 3.11 to 3.13, of this machine (seen the same with 3.10.13, 3.11.7, 3.12.1, 3.13.0).
# Input:    a module that interrupts itself inside exec("..."), catches KeyboardInterrupt and calls
#           sys.exit(130). Class factories of the standard library (dataclasses, namedtuple) run
#           strings, so that Ctrl-C during an import meets this.
# Expected: exit code 130, as without exec() and as for `python module.py`.
# Seen:     `python -m module` ends by signal 2 (return code -2 for a parent process); exec("") after
#           the interrupt was caught gives 130 again.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv

write() { # name, what is interrupted, what is done when it was caught
    printf 'import signal, sys\ntry:\n    %s\nexcept KeyboardInterrupt:\n    %s\nsys.exit(130)\n' "$2" "$3" > "$1.py"
}
write plain 'signal.raise_signal(signal.SIGINT)' pass
write executed 'exec("signal.raise_signal(signal.SIGINT)")' pass
write mended 'exec("signal.raise_signal(signal.SIGINT)")' 'exec("")'
venv/bin/python - <<'EOF'
import subprocess
import sys

runs = {"plain": [], "executed": [], "mended": []}
for name, codes in runs.items():
    for words in (["-m", name], [f"{name}.py"]):
        codes.append(subprocess.run([sys.executable, *words], timeout=60).returncode)
print(sys.version.split()[0], runs)
assert runs == {"plain": [130, 130], "executed": [-2, 130], "mended": [130, 130]}
EOF
echo "as found: python -m ends by SIGINT although the interrupt was caught"
