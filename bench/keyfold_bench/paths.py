"""Where things are. All that is made lies below the build directory, but for the results."""
import os
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
OUT = TARGET / "bench"
LOGS = OUT / "logs"
STATE = OUT / "state"
BROKER = OUT / "broker"

# `--keyfold` puts another one in its place
KEYFOLD = TARGET / "release" / "keyfold"
PEER_JAR = BENCH / "kafka-streams" / "target" / "customer-snapshots.jar"
FRANZ_GO = BENCH / "franz-go" / "franz"
GENERATE = BENCH / "workload" / "generate.py"
BROKER_POM = ROOT / "crates" / "harness" / "src" / "pom.xml"
