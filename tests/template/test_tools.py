"""The scripts of `local`, on made-up binaries and databases; and what `sam local` makes of the template."""

import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest

import checks
import expand

sys.path.insert(0, str(expand.ROOT / "local"))
import sam_local

X86_64, ARM64 = 62, 183


class Tools(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        (self.root / "template.yaml").write_text("Resources: {}\n")
        self.configure('"Environment=dev", "Arch=x86_64", "LogLevel=DEBUG"')

    def configure(self, overrides):
        (self.root / "samconfig.toml").write_text(f"[dev.deploy.parameters]\nparameter_overrides = [{overrides}]\n")

    def build(self, function="health", machine=X86_64, content=b"code", size=0):
        binary = self.root / "built" / function
        binary.parent.mkdir(exist_ok=True)
        binary.write_bytes(b"\x7fELF".ljust(18, b"\0") + machine.to_bytes(2, "little") + content + os.urandom(size))

    def script(self, name, *arguments, **environment):
        command = [sys.executable, str(expand.ROOT / "local" / name), *arguments]
        run = subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, check=False, env={**os.environ, **environment}
        )
        return run.returncode, run.stdout, run.stderr

    def pack(self, *functions, budget="7"):
        return self.script("package.py", "--budget-mb", budget, "built", *(functions or ("health",)))

    def test_the_same_binary_makes_the_same_zip_whenever_it_was_built(self):
        hashes = []
        for seconds in (1_000_000_000, 1_700_000_000):
            self.build()
            os.utime(self.root / "built/health", (seconds, seconds))
            self.assertEqual(self.pack()[0], 0)
            archive = (self.root / "target/lambda-zip/health.zip").read_bytes()
            hashes.append(hashlib.sha256(archive).hexdigest())
        self.assertEqual(*hashes)
        self.assertIn(f"sha256 {hashes[0][:16]}", self.pack()[1])
        self.build(content=b"other code")
        self.pack()
        self.assertNotEqual(hashes[0], hashlib.sha256((self.root / "target/lambda-zip/health.zip").read_bytes()).hexdigest())

    def test_a_binary_that_names_the_folder_of_its_build_is_refused(self):
        elsewhere = ("--without", "/home/somebody/.cargo", "--without", "/home/somebody/fintrack")
        self.build(content=b"/source/shared/src/lib.rs")
        self.assertEqual(self.script("package.py", *elsewhere, "built", "health")[0], 0)
        self.build(content=b"at /home/somebody/fintrack/target/version.rs")
        code, _, said = self.script("package.py", *elsewhere, "built", "health")
        self.assertEqual(code, 1)
        self.assertIn("health names /home/somebody/fintrack", said)

    def test_a_zip_above_the_budget_is_refused(self):
        self.build(size=60_000)
        code, said, _ = self.pack(budget="0.1")
        self.assertEqual(code, 0, said)
        self.assertIn("zip 0.1 of 0.1 MB", said)
        code, _, said = self.pack(budget="0.05")
        self.assertEqual(code, 1)
        self.assertIn("and the budget is 0.05 MB", said)

    def deploy(self, *arguments, region="eu-central-1", account="444444444444"):
        """The command that a deployment would be: a `sam` that says how it was called stands beside this Python, and a
        `boto3` that says whose the credentials are."""
        said = f"{{'Account': '{account}'}}" if account else "(_ for _ in ()).throw(exceptions.NoCredentialsError())"
        client = f"type('Client', (), {{'get_caller_identity': lambda self: {said}}})()"
        (self.root / "boto3.py").write_text(f"from botocore import exceptions\ndef client(*_, **__):\n    return {client}\n")
        beside = self.root / "bin"
        beside.mkdir(exist_ok=True)
        python, sam = beside / "python", beside / "sam"
        if not python.exists():
            python.symlink_to(sys.executable)
        sam.write_text(f'#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n')
        sam.chmod(0o755)
        script = "import runpy, sys; sys.executable = sys.argv.pop(1); path = sys.argv.pop(1); sys.argv[0] = path; "
        script += "runpy.run_path(path, run_name='__main__')"
        run = subprocess.run(
            [sys.executable, "-c", script, str(python), str(expand.ROOT / "local/deploy.py"), *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            # No repository but what a test makes here.
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("GIT")},
                "AWS_REGION": region,
                "PYTHONPATH": str(self.root),
                "GIT_CEILING_DIRECTORIES": str(self.root.parent),
            },
        )
        return run.returncode, run.stdout, run.stderr

    def release(self):
        code, said, error = self.deploy("dev")
        self.assertEqual(code, 0, error)
        command = json.loads(said)
        wanted = ["deploy", "--template-file", "template.yaml", "--config-env", "dev", "--region", "eu-central-1"]
        self.assertEqual(command[:7], wanted)
        self.assertEqual(command[7], "--parameter-overrides")
        *settings, last = command[8:]
        return settings, last.removeprefix('Release="').removesuffix('"')

    def test_a_deployment_is_sams_with_all_settings_and_a_release(self):
        self.build()
        self.pack()
        settings, release = self.release()
        self.assertEqual(settings, ['Environment="dev"', 'Arch="x86_64"', 'LogLevel="DEBUG"', 'Commit="unknown"'])
        pattern = expand.read()["Parameters"]["Release"]["AllowedPattern"]
        self.assertTrue(re.match(pattern, release) and release)
        self.assertNotEqual(self.release()[1], release, "what a failed one has left is not taken for this one's")

    def test_where_somebody_approved_before_nothing_is_asked(self):
        self.build()
        self.pack()
        asks, does_not = (json.loads(self.deploy(*options, "dev")[1]) for options in ([], ["--yes"]))
        self.assertNotIn("--no-confirm-changeset", asks)
        self.assertEqual([word for word in does_not[:-1] if word != "--no-confirm-changeset"], asks[:-1], "the release apart")
        self.assertLess(does_not.index("--no-confirm-changeset"), does_not.index("--parameter-overrides"))

    def test_a_mend_while_alarms_ring_needs_no_other_settings(self):
        self.configure('"Environment=dev", "DeploymentType=Canary10Percent5Minutes"')
        self.build()
        self.pack()
        slowly, at_once = (json.loads(self.deploy(*options, "dev")[1]) for options in ([], ["--yes", "--at-once"]))
        self.assertIn('DeploymentType="Canary10Percent5Minutes"', slowly)
        self.assertIn('DeploymentType="AllAtOnce"', at_once)
        self.assertEqual(len([word for word in at_once if word.startswith("DeploymentType=")]), 1)

    def test_a_value_reaches_sam_whole_whatever_is_in_it(self):
        from samcli.cli.types import CfnParameterOverridesType

        values = {"BackupSchedule": "cron(0 3 * * ? *)", "CorsOrigins": "https://a.example.com,https://b.example.com", "Odd": 'a"b\\c d=e'}
        listed = ", ".join(json.dumps(f"{name}={value}") for name, value in values.items())
        self.configure(listed)
        self.build()
        self.pack()
        given = json.loads(self.deploy("dev")[1])[8:]
        read = CfnParameterOverridesType().convert(tuple(given), None, None)
        self.assertEqual({name: read[name] for name in values}, values)

    def test_a_deployment_says_its_commit(self):
        def git(*words):
            said = ["-c", "user.name=a", "-c", "user.email=a@example.com", *words]
            return subprocess.run(["git", *said], cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

        self.build()
        self.pack()
        self.release()
        (self.root / ".gitignore").write_text("*\n!README\n!samconfig.toml\n")
        (self.root / "README").write_text("one\n")
        git("init")
        git("add", ".")
        git("commit", "--message", "one")
        first = git("rev-parse", "HEAD")[:12]
        self.assertIn(f'Commit="{first}"', self.release()[0])
        # The settings are today's, whatever the commit.
        self.configure('"Environment=dev", "Arch=x86_64", "LogLevel=INFO"')
        self.assertIn(f'Commit="{first}"', self.release()[0])
        (self.root / "README").write_text("two\n")
        self.assertIn(f'Commit="{first}-changed"', self.release()[0])
        git("commit", "--all", "--message", "two")
        self.assertIn(f'Commit="{git("rev-parse", "HEAD")[:12]}"', self.release()[0])
        pattern = expand.read()["Parameters"]["Commit"]["AllowedPattern"]
        for value in (first, f"{first}-changed", "unknown", ""):
            self.assertRegex(value, pattern)

    def test_a_deployment_with_another_accounts_credentials_is_none(self):
        self.configure('"DbSecretArn=arn:aws:secretsmanager:eu-central-1:555555555555:secret:x"')
        self.build()
        self.pack()
        self.assertEqual(self.deploy("dev", account="555555555555")[0], 0)
        code, _, said = self.deploy("dev")
        self.assertEqual(code, 1)
        self.assertEqual(
            said, "Error: DbSecretArn of dev is in the account 555555555555, and your credentials are of 444444444444\n"
        )
        code, _, said = self.deploy("dev", account=None)
        self.assertEqual((code, said.count("\n")), (1, 1))
        self.assertIn("AWS does not say whose credentials these are", said)
        self.assertEqual(self.deploy("--arch", "dev", account=None)[0], 0, "which asks nobody")

    def test_what_cannot_be_deployed_is_refused_in_one_line(self):
        def refused(reason, *arguments):
            code, _, said = self.deploy(*(arguments or ("dev",)))
            self.assertEqual(code, 1)
            self.assertIn(reason, said)
            self.assertNotIn("Traceback", said)

        refused("target/lambda is empty: run make build first")
        self.build(machine=ARM64)
        self.pack()
        refused("is not for x86_64")
        code, said, _ = self.deploy("--arch", "dev")
        self.assertEqual((code, said), (0, "x86_64\n"), "asked before anything is built")
        refused("has no [qa.deploy.parameters]", "qa")
        self.configure('"DbSecretArn=arn:aws:secretsmanager:us-east-1:111111111111:secret:x"')
        refused("DbSecretArn of dev is still the example's")

    def test_a_deployment_goes_to_the_region_of_the_shell_and_of_every_arn_or_nowhere(self):
        arns = {
            "DbSecretArn": "arn:aws:secretsmanager:eu-central-1:444444444444:secret:fintrack/dev/db-AbCdEf",
            "KmsKeyArn": "arn:aws:kms:eu-central-1:444444444444:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "CertificateArn": "arn:aws:acm:eu-central-1:444444444444:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
        }
        self.configure(", ".join(f'"{name}={arn}"' for name, arn in arns.items()))
        self.build()
        self.pack()
        code, said, error = self.deploy("dev")
        self.assertEqual(code, 0, error)
        command = json.loads(said)
        self.assertEqual(command[command.index("--region") + 1], "eu-central-1")
        for environment in ("", "us-east-1"):
            for options in ([], ["--arch"]):
                self.assertEqual(self.deploy(*options, "dev", region=environment)[0], 1, "before anything is built, too")
        self.assertIn("AWS_REGION is not set", self.deploy("dev", region="")[2])
        for name, arn in arns.items():
            self.configure(f'"{name}={arn}"')
            said = self.deploy("dev", region="us-east-1")[2]
            self.assertEqual(said, f"Error: {name} of dev is in eu-central-1, and AWS_REGION is us-east-1\n")


class DatabasesForContainers(unittest.TestCase):
    """What `make sam-local` makes of a connection string; the ports are opened on loopback here."""

    def setUp(self):
        self.ports = sam_local.Ports("127.0.0.1")

    def test_a_database_of_this_machine_gets_a_port_of_its_own_and_is_asked_directly(self):
        uri = self.ports.reachable("MONGODB_URI", "mongodb://user:pass@127.0.0.1:27099/?replicaSet=rs0")
        found = re.fullmatch(r"mongodb://user:pass@127\.0\.0\.1:(\d+)/\?replicaSet=rs0&directConnection=true", uri)
        self.assertTrue(found, uri)
        self.assertNotEqual(found[1], "27099")
        self.assertRegex(self.ports.reachable("REDIS_URL", "redis://localhost"), r"^redis://127\.0\.0\.1:\d+$")

    def test_what_goes_in_comes_out_on_the_other_side(self):
        with socket.create_server(("127.0.0.1", 0)) as database:
            url = self.ports.reachable("REDIS_URL", f"redis://127.0.0.1:{database.getsockname()[1]}")
            with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as client:
                accepted, _ = database.accept()
                with accepted:
                    client.sendall(b"PING")
                    self.assertEqual(accepted.recv(4), b"PING")
                    accepted.sendall(b"PONG")
                    self.assertEqual(client.recv(4), b"PONG")
                    accepted.shutdown(socket.SHUT_WR)
                    self.assertEqual(client.recv(1), b"", "an end is passed on")

    def test_a_database_elsewhere_is_left_as_it_is(self):
        for uri in ("mongodb+srv://cluster.example.net/", "mongodb://a.example.net,b.example.net/?replicaSet=rs0"):
            self.assertEqual(self.ports.reachable("MONGODB_URI", uri), uri)

    def test_a_replica_set_of_this_machine_is_refused(self):
        with self.assertRaises(SystemExit) as refused:
            self.ports.reachable("MONGODB_URI", "mongodb://127.0.0.1:27017,127.0.0.1:27018/?replicaSet=rs0")
        self.assertIn("names several servers of this machine", str(refused.exception))


class SamLocal(unittest.TestCase):
    def test_it_finds_every_function_and_route_and_asks_no_secret_of_aws(self):
        from samcli.lib.providers.api_provider import ApiProvider
        from samcli.lib.providers.sam_function_provider import SamFunctionProvider
        from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
        from samcli.local.lambdafn.env_vars import EnvironmentVariables

        given = {"Environment": "local", "LogLevel": "DEBUG"}
        stacks, _ = SamLocalStackProvider.get_stacks(str(expand.ROOT / "template.yaml"), parameter_overrides=given)
        found = {function.name: function for function in SamFunctionProvider(stacks).get_all()}
        for prefix, timeout, memory in checks.FUNCTIONS.values():
            function = found[f"{prefix}Function"]
            self.assertEqual((function.timeout, function.memory), (timeout, memory))
            container = EnvironmentVariables(
                function.name,
                function.memory,
                function.timeout,
                function.handler,
                variables=function.environment["Variables"],
                shell_env_values={"MONGODB_URI": "mongodb://shell"},
            ).resolve()
            self.assertEqual(container["MONGODB_URI"], "mongodb://shell", "the shell's value takes the template's place")
            self.assertEqual((container["JWT_SECRET"], container["SECRETS_ID"], container["APP_ENV"]), ("", "", "development"))
        routes = {(route.path, route.function_name) for route in ApiProvider(stacks).api.routes}
        self.assertIn(("/api/v1/auth/{proxy+}", "AuthFunction"), routes)
        self.assertIn(("$default", "HealthFunction"), routes)
        self.assertEqual(len(routes), 4 * len(checks.FUNCTIONS) + 1)


if __name__ == "__main__":
    unittest.main()
