"""The k6 scripts, gently, against `make run`: `make test-load`. That they work is shown here, and nothing of how fast it is.

Must never load anything but the server that it started.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "sam"))
from commands import PATIENCE_S, ROOT, free_port, server

K6 = os.environ["K6"]
UNLIMITED = {"RATE_LIMIT_GENERAL_MAX": "100000000", "RATE_LIMIT_AUTH_MAX": "100000000"}
GENTLE = {"RATE": "8", "DURATION": "4s", "USERS": "2", "P99_MS": "10000"}


class Load(unittest.TestCase):
    def serve(self, **limits):
        self.port = free_port()
        running = server(self.port, **limits)
        self.addCleanup(running.stop)
        return running

    def k6(self, script, **variables):
        """Its exit status, the counts of its summary, what it said."""
        environment = {**os.environ, "BASE": f"http://127.0.0.1:{getattr(self, 'port', 1)}", **GENTLE, **variables}
        with tempfile.TemporaryDirectory() as folder:
            summary = pathlib.Path(folder) / "summary.json"
            command = [K6, "run", "--no-usage-report", "--quiet", f"--summary-export={summary}", f"tests/load/{script}.js"]
            run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            metrics = json.loads(summary.read_text())["metrics"] if summary.exists() else {}
        return run.returncode, metrics, run.stdout + run.stderr

    def test_users_are_made_used_and_erased(self):
        running = self.serve(**UNLIMITED)
        for script in ("steady", "step"):
            status, metrics, said = self.k6(script)
            self.assertEqual(status, 0, said)
            self.assertGreater(metrics["checks"]["passes"], 15)
            self.assertEqual(metrics["checks"]["fails"], 0)
        running.stop()
        log = "".join(running.said)
        # Two users of each script; the demo user stays.
        self.assertEqual(log.count('"http.route":"/api/v1/auth/register","http.status":201'), 4)
        self.assertEqual(log.count('"http.method":"DELETE","http.route":"/api/v1/auth/me","http.status":204'), 4)

    def test_a_server_with_its_limits_is_told_before_it_is_loaded(self):
        running = self.serve()
        status, _, said = self.k6("steady", USERS="6")
        self.assertNotEqual(status, 0)
        self.assertIn("refused by the rate limit", said)
        running.stop()
        log = "".join(running.said)
        self.assertNotIn("/api/v1/financial-health", log, "no scenario began")
        # The third one's log-in is the sixth attempt.
        self.assertEqual(log.count('"http.route":"/api/v1/auth/register","http.status":201'), 3)
        self.assertEqual(log.count('"http.method":"DELETE","http.route":"/api/v1/auth/me","http.status":204'), 3, "it leaves nobody")

    def test_a_burst_of_log_ins_is_refused_after_five(self):
        self.serve()
        status, metrics, said = self.k6("login")
        self.assertEqual(status, 0, said)
        self.assertEqual(metrics["answered_401"]["count"], 5)
        self.assertGreater(metrics["answered_429"]["count"], 15)

    def test_a_burst_that_nothing_refuses_is_a_failure(self):
        self.serve(**UNLIMITED)
        status, _, said = self.k6("login")
        self.assertNotEqual(status, 0, said)

    def test_only_this_machine_and_only_for_a_while(self):
        for variables, reason in (
            ({"BASE": "https://api.example.com"}, "api.example.com is another machine"),
            ({"BASE": "https://api.example.com", "ELSEWHERE": "example.com"}, "api.example.com is another machine"),
            ({"BASE": "http://127.0.0.1@api.example.com"}, "BASE must be"),
            ({"BASE": "http://127.0.0.1:1/api"}, "BASE must be"),
            ({"DURATION": "11m"}, "600 s at most"),
            ({"DURATION": "5"}, "DURATION is a time"),
            ({"RATE": "0"}, "RATE is a whole number"),
        ):
            status, _, said = self.k6("steady", **variables)
            self.assertNotEqual(status, 0, variables)
            self.assertIn(reason, said)


if __name__ == "__main__":
    unittest.main()
