"""`python -m fstore_bin` runs the fstore command."""

import os
import subprocess
import sys

from fstore_bin import path

if __name__ == "__main__":
    command = [path(), *sys.argv[1:]]
    if os.name == "nt":  # there, exec returns to the shell before the command ends
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)
