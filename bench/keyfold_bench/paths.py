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

KEYFOLD = TARGET / "release" / "keyfold"
PEER = BENCH / "kafka-streams"
PEER_JAR = PEER / "target" / "customer-snapshots.jar"
GENERATE = BENCH / "workload" / "generate.py"
BROKER_POM = ROOT / "tests" / "kafka" / "pom.xml"
