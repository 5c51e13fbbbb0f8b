"""Whether what was published is right."""
import hashlib

from .errors import Failure


def read_newest(cluster, topic):
    """How many committed records a topic has, and the newest of each key. Keys are text in bytes."""
    newest, count = {}, 0
    for key, value in cluster.read(topic):
        newest[key] = value
        count += 1
    return count, newest


def count(cluster, topic):
    return sum(1 for _ in cluster.read(topic))


def equal_to_fold(name, newest, expected):
    """Byte for byte. No snapshot at all and a null one say the same: nothing to show."""
    different = [key for key in expected.keys() | newest.keys() if expected.get(key) != newest.get(key)]
    if different:
        key = min(different)
        raise Failure(f"WRONG RESULT: {name}: of {len(expected)} customers {len(different)} differ from the offline fold.\n"
                      f"{key.decode()}\n  fold:      {expected.get(key)}\n  published: {newest.get(key)}")


class Agreement:
    """The peers do the same job by the same rules: all their runs must leave the same snapshots, byte for byte."""

    def __init__(self):
        self.first = None

    def hold(self, name, newest):
        digest = hashlib.sha256()
        for key in sorted(newest):
            digest.update(b"%d %s %d %s" % (len(key), key, len(newest[key] or b""), newest[key] or b""))
        found = (len(newest), digest.hexdigest())
        if self.first is None:
            self.first = (name, found)
        elif self.first[1] != found:
            raise Failure(f"WRONG RESULT: {name} left other snapshots than {self.first[0]} ({found[0]} and {self.first[1][0]} of them)")
