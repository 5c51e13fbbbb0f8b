"""What all parts of a run share."""
import itertools
import sys
import time

from . import build, check
from .broker import Broker
from .cluster import Cluster
from .errors import Failure
from .peers import PEERS
from .workload import INPUTS, Workload


class Bench:
    def __init__(self, options):
        self.options = options
        self.peers = [peer for peer in PEERS if peer.label in options.peers]
        self.broker = Broker(build.broker_libs())
        self.servers = self.broker.servers
        self.cluster = Cluster(self.servers, self.broker.data)
        self.cluster.await_coordinators()
        self._numbers = itertools.count(1)
        self._workload = self._expected = None
        self.agreement = check.Agreement()
        self.began = time.monotonic()

    def say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"{minutes:3}:{seconds:02}  {text}", file=sys.stderr, flush=True)

    def side(self, kind, settings, name=""):
        """A side with a new application id."""
        # ends in a mark, so that no id begins another
        application = f"bench-{kind.label}-{name}{next(self._numbers)}-"
        return kind(self.servers, application.replace(" ", "").lower(), settings)

    @property
    def workload(self):
        """Made and loaded when the first part asks for it; it stays loaded."""
        if self._workload is None:
            self.say(f"workload: {self.options.events:,} events of {self.options.customers:,} customers")
            self._workload = Workload(self.options.customers, self.options.events)
            self._workload.load(self.cluster, self.options.partitions)
        return self._workload

    def ends(self):
        _ = self.workload
        return self.cluster.ends(INPUTS)

    def expected(self, side):
        if self._expected is None:
            self.say("the offline fold of the same events")
            self._expected = self.workload.expected(side)
            if not self._expected:
                raise Failure("the offline fold is empty")
        return self._expected

    def close(self):
        self.cluster.close()
        self.broker.close()
