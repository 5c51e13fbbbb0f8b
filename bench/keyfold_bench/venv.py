"""Goes on in a virtual environment that has what requirements.txt names. Needs nothing but Python itself."""
import os
import subprocess
import sys

from .paths import BENCH, OUT

REQUIREMENTS = BENCH / "requirements.txt"
HOME = OUT / "venv"
PYTHON = HOME / "bin" / "python"


def enter(script):
    """Returns within the environment; outside, starts `script` again within it."""
    if os.path.realpath(sys.prefix) == os.path.realpath(HOME):
        return
    note = HOME / "packages"
    wanted = REQUIREMENTS.read_text()
    if not note.exists() or note.read_text() != wanted:
        print("making a Python environment", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "-r", REQUIREMENTS], check=True)
        # noted last, so that an interrupted attempt is not taken for a complete one
        note.write_text(wanted)
    os.execv(PYTHON, [str(PYTHON), "-B", script, *sys.argv[1:]])
