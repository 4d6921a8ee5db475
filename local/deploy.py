"""Deploys what `make build` built, with the settings of samconfig.toml: `make deploy ENV=dev`.

It adds two parameters: Commit, and Release, an id of this deployment. Without it a setting that changes would reach the
unpublished version only, and no request (docs/decisions/0022-a-release-is-one.md). Must never build anything, nor
hold a setting of its own.

The region is AWS_REGION's alone, which the other commands of docs/RUNBOOK.md read too; `sam` by itself reads another variable.
The account is the one of what the settings name by ARN: with another's credentials nothing is deployed.

Usage: deploy.py [--arch] [--yes] [--at-once] <dev, staging or prod>
  --arch     says what architecture the settings want, and deploys nothing
  --yes      asks nothing, whatever the settings say: somebody approved before, as in CI
  --at-once  moves every request at once and looks at no alarm: for a mend while alarms ring
"""

import os
import pathlib
import secrets
import subprocess
import sys
import tomllib

BUILT = pathlib.Path("target/lambda")
# The place of the machine in an ELF file, and what stands there.
MACHINE_AT = 18
MACHINES = {"x86_64": 62, "arm64": 183}
# The account ids of the examples in samconfig.toml.
EXAMPLE_ACCOUNTS = ("111111111111", "222222222222", "333333333333")


def settings(config, environment, region):
    """The parameters of a deployment as samconfig.toml has them; what they name by ARN is in the deployment's region."""
    try:
        overrides = config[environment]["deploy"]["parameters"]["parameter_overrides"]
    except KeyError:
        sys.exit(f"Error: samconfig.toml has no [{environment}.deploy.parameters] with parameter_overrides")
    for override in overrides:
        if any(account in override for account in EXAMPLE_ACCOUNTS):
            sys.exit(f"Error: {override.split('=')[0]} of {environment} is still the example's in samconfig.toml")
    parameters = dict(override.split("=", 1) for override in overrides)
    for name, value in parameters.items():
        where = f"{value}::::".split(":")[3]
        if value.startswith("arn:") and where != region:
            sys.exit(f"Error: {name} of {environment} is in {where or 'no region'}, and AWS_REGION is {region}")
    return parameters


def check_account(parameters, environment, region):
    """The credentials are of the account that the settings mean."""
    named = {value.split(":")[4]: name for name, value in parameters.items() if value.startswith("arn:")}
    if not named:
        return
    # SAM's own, which `--arch` has no need of.
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        account = boto3.client("sts", region_name=region).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"Error: AWS does not say whose credentials these are: {error}")
    for wanted, name in named.items():
        if wanted != account:
            sys.exit(f"Error: {name} of {environment} is in the account {wanted}, and your credentials are of {account}")


def quoted(value):
    """A value as `sam` reads it whole: a schedule has spaces. One that ends in a backslash it refuses."""
    return '"' + value.replace('"', '\\"') + '"'


def check_built(architecture):
    """Every function is built, each for the architecture that is deployed."""
    found = sorted(BUILT.glob("*/bootstrap"))
    if not found:
        sys.exit(f"Error: {BUILT} is empty: run make build first")
    for bootstrap in found:
        machine = int.from_bytes(bootstrap.read_bytes()[MACHINE_AT : MACHINE_AT + 2], "little")
        if machine != MACHINES[architecture]:
            sys.exit(f"Error: {bootstrap} is not for {architecture}: run make deploy, which builds what samconfig.toml wants")


def commit():
    """The commit that is built, and whether more than samconfig.toml, whose settings are part of the release, differs from it."""

    def git(*words):
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        found = git("rev-parse", "HEAD")[:12]
        return f"{found}-changed" if git("status", "--porcelain", "--", ".", ":!samconfig.toml") else found
    except (OSError, subprocess.CalledProcessError):
        # In a container of CI git may not trust the checkout.
        return os.environ.get("GITHUB_SHA", "")[:12] or "unknown"


def main():
    options, environments = sys.argv[1:-1], sys.argv[1:][-1:]
    if not environments or not set(options) <= {"--arch", "--yes", "--at-once"}:
        sys.exit(__doc__)
    (environment,) = environments
    region = os.environ.get("AWS_REGION") or sys.exit("Error: AWS_REGION is not set: export AWS_REGION=us-east-1, or where the stack is")
    overrides = settings(tomllib.loads(pathlib.Path("samconfig.toml").read_text()), environment, region)
    architecture = overrides.get("Arch", "x86_64")
    if "--arch" in options:
        print(architecture)
        return
    check_built(architecture)
    check_account(overrides, environment, region)
    if "--at-once" in options:
        overrides["DeploymentType"] = "AllAtOnce"
    overrides["Commit"] = commit()
    # Each time another: a version that a failed deployment has left would be taken for this one's.
    overrides["Release"] = secrets.token_hex(32)
    sam = pathlib.Path(sys.executable).with_name("sam")
    given = [f"{name}={quoted(value)}" for name, value in overrides.items()]
    # The template that was judged, whatever a `sam build` by hand has left. The command line's parameters take the place of
    # all that samconfig.toml has.
    command = [str(sam), "deploy", "--template-file", "template.yaml", "--config-env", environment, "--region", region]
    command += ["--no-confirm-changeset"] if "--yes" in options else []
    command += ["--parameter-overrides", *given]
    os.environ["SAM_CLI_TELEMETRY"] = "0"
    os.execv(sam, command)


if __name__ == "__main__":
    main()
