"""Builds all sides, and fetches what the broker needs."""
import json
import shutil

from .errors import Failure
from .paths import BROKER_POM, FRANZ_GO, OUT, PEER_JAR, ROOT
from .processes import run


# What is measured is compiled as what is installed: Cargo.toml says why.
IN_ONE_UNIT = ["--config", "profile.release.package.keyfold.codegen-units=1"]


def keyfold():
    run(["cargo", "build", "--release", "--locked", *IN_ONE_UNIT], cwd=ROOT)


def floor():
    """The program that carries records and does nothing else; where it is."""
    OUT.mkdir(parents=True, exist_ok=True)
    messages = OUT / "floor.json"
    with open(messages, "wb") as out:
        run(["cargo", "bench", "--locked", *IN_ONE_UNIT, "--bench", "floor", "--no-run", "--message-format=json-render-diagnostics"],
            cwd=ROOT, stdout=out)
    found = [json.loads(line) for line in messages.read_text().splitlines()]
    programs = [message["executable"] for message in found if message.get("executable") and message["target"]["name"] == "floor"]
    if len(programs) != 1:
        raise Failure("cargo has not said where the program floor is")
    return programs[0]


def kafka_streams():
    """Its own tests run with it."""
    home = PEER_JAR.parent.parent
    if not newer(PEER_JAR, [home / "pom.xml", *(home / "src").rglob("*")]):
        run(["mvn", "-q", "-B", "package"], cwd=home)


def franz_go():
    home = FRANZ_GO.parent
    if not newer(FRANZ_GO, [path for path in home.iterdir() if path != FRANZ_GO]):
        run([home / "build.sh"])


def newer(made, sources):
    """What is newer than all its sources is taken as it is."""
    return made.exists() and made.stat().st_mtime > max(path.stat().st_mtime for path in sources if path.is_file())


PEERS = {"Kafka Streams": kafka_streams, "franz-go": franz_go}


def broker_libs():
    """The jars of the broker that the tests use too, from Maven Central."""
    libs, note = OUT / "kafka", OUT / "kafka.pom"
    recipe = BROKER_POM.read_text()
    if note.exists() and note.read_text() == recipe:
        return libs
    shutil.rmtree(libs, ignore_errors=True)
    libs.mkdir(parents=True)
    shutil.copy(BROKER_POM, libs / "pom.xml")
    run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-f", libs / "pom.xml", f"-DoutputDirectory={libs}"])
    note.write_text(recipe)
    return libs
