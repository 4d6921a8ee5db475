"""The template in the containers of `sam local`, with the binaries of `make build` and real databases: `make test-sam`.

Needs a container engine, and never skips: without one it fails. Must never pull an image: the base image is made here.
"""

import datetime
import json
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
import uuid

from commands import PATIENCE_S, ROOT, Process, free_port, server

SAM_LOCAL = [sys.executable, str(ROOT / "local" / "sam_local.py"), "--offline"]
PASSWORD = "correct horse battery staple"


def containers():
    """The ids of those that run."""
    listed = subprocess.run(["docker", "ps", "--quiet"], capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


class SamLocal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.before = containers()
        cls.run_port, cls.port = free_port(), free_port()
        cls.server = server(cls.run_port)
        cls.addClassCleanup(cls.server.stop)
        command = [*SAM_LOCAL, "--run-port", str(cls.run_port), "start-api", str(cls.port)]
        # All come from one address.
        cls.sam = Process(command, "CTRL+C to quit", RATE_LIMIT_AUTH_MAX="1000", RATE_LIMIT_GENERAL_MAX="1000")
        cls.addClassCleanup(cls.end)

    @classmethod
    def end(cls):
        """What must be true of it when it is over."""
        state = json.loads((ROOT / f".local/run/{cls.run_port}/state.json").read_text())
        status = cls.sam.stop()
        said = "".join(cls.sam.said)
        assert status == 0, f"it ended with {status}: {said}"
        assert '"message":"request completed"' in said, "the functions' log was not passed on"
        left = containers() - cls.before
        assert not left, f"containers are left: {left}"
        secret = [state["JWT_SECRET"], state["JWT_REFRESH_SECRET"], state["PASSWORD_PEPPER"], PASSWORD, "mongodb://", "redis://"]
        assert not [word for word in secret if word in said], "it says what nobody may read"

    def ask(self, method, path, body=None, token=None, **headers):
        if body is not None:
            headers |= {"content-type": "application/json"}
        if token is not None:
            headers |= {"authorization": f"Bearer {token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=PATIENCE_S)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None

    def invoke(self, function, event):
        command = [*SAM_LOCAL, "--run-port", str(self.run_port), "invoke", function, f"events/{event}.json"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def test_both_databases_answer_in_the_containers(self):
        for path in ("/api/v1/health", "/api/health"):
            status, headers, body = self.ask("GET", path)
            self.assertEqual((status, body["services"]), (200, {"mongodb": "connected", "redis": "connected"}))
            self.assertEqual(headers["x-content-type-options"], "nosniff")

    def test_a_user_from_registration_to_the_score(self):
        login = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
        self.assertEqual(self.ask("POST", "/api/v1/auth/register", login)[0], 201)
        status, headers, body = self.ask("POST", "/api/v1/auth/login", login)
        self.assertEqual(status, 200)
        self.assertRegex(headers["set-cookie"], "HttpOnly")
        token = body["tokens"]["accessToken"]
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        account = {"name": "Savings", "type": "savings", "currency": "USD", "openingBalance": {"amount": "1500.00"}}
        account["openingDate"] = "2020-01-01"
        status, _, account = self.ask("POST", "/api/v1/accounts", account, token)
        self.assertEqual(status, 201)
        made = {"type": "expense", "amount": "42.50", "date": today, "description": "Groceries", "accountId": account["id"]}
        first = self.ask("POST", "/api/v1/transactions", made, token, **{"idempotency-key": "groceries-1"})
        again = self.ask("POST", "/api/v1/transactions", made, token, **{"idempotency-key": "groceries-1"})
        self.assertEqual((first[0], again[2]["id"]), (201, first[2]["id"]), "an idempotency key is kept")
        _, _, listed = self.ask("GET", "/api/v1/transactions?limit=5&type=expense", token=token)
        self.assertEqual([item["id"] for item in listed["items"]], [first[2]["id"]])
        balance = self.ask("GET", f"/api/v1/accounts/{account['id']}", token=token)[2]
        self.assertIn("1457.50", json.dumps(balance))
        self.assertEqual(self.ask("GET", "/api/v1/categories", token=token)[0], 200)
        self.assertEqual(self.ask("GET", "/api/v1/financial-health", token=token)[0], 200)

    def test_refusals_are_the_functions_own(self):
        for path, status in (("/api/v1/accounts", 401), ("/api/v1/transactions/x/y/z", 404)):
            answer, headers, body = self.ask("GET", path)
            self.assertEqual((answer, headers["content-type"], body["status"]), (status, "application/problem+json", status), path)

    def test_one_event_to_one_function(self):
        self.assertEqual(self.invoke("health", "health.get")["statusCode"], 200)
        self.assertEqual(self.invoke("financial-health", "financial-health.method")["statusCode"], 200)
        created = self.invoke("transactions", "transactions.create")
        self.assertEqual((created["statusCode"], json.loads(created["body"])["amount"]), (201, "42.50"))


if __name__ == "__main__":
    unittest.main()
