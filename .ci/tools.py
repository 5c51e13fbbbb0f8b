"""Programs that checks need: how they are run, and installed once in the user's cache."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "keyfold-ci"


def run(*command, given=None, **more):
    """What a command prints. It ends the check when it fails, with all that it said."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def installed(name, pins, install):
    """The folder of the tools: made by `install` where they are not in the cache yet."""
    folder = CACHE / "-".join([name, *(re.sub(r"[^\w.]+", "-", pin) for pin in pins)])
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        complete.touch()
    return folder


def python_packages(pins):
    """The programs of an environment that has these packages."""
    def install(folder):
        run(sys.executable, "-m", "venv", folder)
        run(folder / "bin" / "pip", "install", "--quiet", *pins)

    return installed("pip", pins, install) / "bin"
