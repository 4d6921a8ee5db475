"""Commands that tests start and stop: `make run` and what is laid over it. Must never leave one behind."""

import os
import pathlib
import signal
import socket
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LOCAL = os.environ.get("LOCAL", str(ROOT / "target" / "debug" / "local"))
PATIENCE_S = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A command, and all that it says, read for as long as it runs."""

    def __init__(self, command, ready, **environment):
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = []
        self.heard = threading.Event()
        self.reader = threading.Thread(target=self.read, args=(ready,))
        self.reader.start()
        if not self.heard.wait(PATIENCE_S) or ready not in "".join(self.said):
            self.stop()
            raise AssertionError(f"{command} was never ready: {''.join(self.said)}")

    def read(self, ready):
        for line in self.process.stdout:
            self.said.append(line)
            if ready in line:
                self.heard.set()
        self.heard.set()

    def stop(self):
        """Its exit status after SIGTERM; by then all that it said is there."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return status


def server(port, **environment):
    """`make run`, on empty databases of its own."""
    return Process([LOCAL, "run"], "The log is also in", PORT=str(port), FRESH="1", **environment)
