"""Where and with what a run took place."""
import os
import platform
from datetime import datetime, timezone

from . import paths
from .paths import ROOT
from .processes import text_of


def describe():
    # with the commit that it was built from
    version = text_of([paths.KEYFOLD, "--version"])
    # the results of the parts before are no change of what is measured
    if text_of(["git", "status", "--porcelain", "--", ".", ":!bench/results"], cwd=ROOT):
        version += " and changes"
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "keyfold": version,
        "kafka": "4.3.1",
        "java": text_of(["java", "-version"]).splitlines()[0],
        "go": text_of(["go", "version"]).removeprefix("go version "),
        "rust": text_of(["rustc", "--version"]),
        "python": platform.python_version(),
    }


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
