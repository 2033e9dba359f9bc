"""Runs a command and prints its seconds and its peak resident set: `python measure.py COMMAND...`.

Linux counts what the parent holds when it starts a process as that process's own, so the parent has to be one that holds next to nothing. The last
line is the figures as JSON; before it comes what the command printed.
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:])
    _, status, usage = os.wait4(process.pid, 0)
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_kib": usage.ru_maxrss}))
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
