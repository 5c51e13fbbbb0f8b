"""Processes that end with this one, and what the kernel knows of them."""
import ctypes
import os
import signal
import subprocess
import time

from .errors import Failure
from .paths import LOGS

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
TICKS = os.sysconf("SC_CLK_TCK")
DOWN_LIMIT = 60

_live = []


def die_with_parent(parent):
    """Runs in the child: however the parent ends, the kernel then kills the child."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def wait_for(condition, limit, what, every=0.02):
    """The condition's first value that says something, or a failure after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {limit:.0f} s")
        time.sleep(every)


class Process:
    """A running program; its outputs go to files."""

    def __init__(self, name, command, env=None, cwd=None):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.out = LOGS / f"{name}.out"
        self.log = LOGS / f"{name}.log"
        parent = os.getpid()
        self.started = time.monotonic()
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            # A session of its own: Ctrl-C comes to this program alone, which then ends the others in order.
            self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                          env=env, cwd=cwd, start_new_session=True,
                                          preexec_fn=lambda: die_with_parent(parent))
        _live.append(self)

    @property
    def pid(self):
        return self.child.pid

    def check(self):
        """Fails if it has ended."""
        status = self.child.poll()
        if status is not None:
            self._gone()
            raise Failure(f"{self.name} ended with {status}:\n{self.tail()}")

    def tail(self):
        text = self.out.read_text(errors="replace") + self.log.read_text(errors="replace")
        return text[-3000:]

    def lines(self):
        """The complete lines of its standard output so far."""
        return self.out.read_text(errors="replace").split("\n")[:-1]

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        """As a crash would end it."""
        self.child.kill()
        self.child.wait()
        self._gone()

    def stop(self):
        """Ends it in good order."""
        self.check()
        self.child.terminate()
        try:
            self.child.wait(DOWN_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name} did not stop:\n{self.tail()}") from None
        self._gone()

    def finish(self, limit):
        """Waits until it ends by itself."""
        try:
            status = self.child.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {limit:.0f} s:\n{self.tail()}") from None
        self._gone()
        if status != 0:
            raise Failure(f"{self.name} ended with {status}:\n{self.tail()}")

    def cpu_seconds(self):
        """User and system time of all its threads since it started."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self, field="VmHWM"):
        """`VmHWM`, the most it ever had in memory, or `VmRSS`, what it has now."""
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
        raise Failure(f"{self.name} has no {field}: it has ended")

    def _gone(self):
        if self in _live:
            _live.remove(self)


def kill_all():
    """Whatever still runs. The youngest first, so that brokers go last."""
    for process in reversed(list(_live)):
        process.kill()


def run(command, cwd=None, env=None, stdout=None, stderr=None):
    """Runs a program to its end, which must be a good one."""
    parent = os.getpid()
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, stdout=stdout, stderr=stderr,
                          preexec_fn=lambda: die_with_parent(parent))
    if done.returncode != 0:
        raise Failure(f"{command[0]} ended with {done.returncode}")


def text_of(command, cwd=None):
    """What a program prints, or an empty text if it can't be run."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()
