"""The workflow of CI says nothing that the Makefile does not know, and may do no more than it must: `make lint-template`.

Must never run anything of it: what GitHub makes of it is not known here.
"""

import itertools
import re
import tomllib
import unittest

import expand
import yaml

WORKFLOW = (expand.ROOT / ".github/workflows/ci.yml").read_text()
MAKEFILE = (expand.ROOT / "Makefile").read_text()
ENVIRONMENTS = ("staging", "prod")
# Of one version, as actions are: the compiler of a release is not whatever came out last night.
IMAGE = f"rust:{tomllib.loads((expand.ROOT / 'rust-toolchain.toml').read_text())['toolchain']['channel']}-bookworm"
# A tag can be put on any commit, and only main was reviewed.
ON_MAIN = "git merge-base --is-ancestor HEAD origin/main"
# What a clean machine lacks; everything else is make's.
PREPARES = "apt-get update && apt-get install --yes --no-install-recommends python3-pip python3-venv"
# A commit, whose version a person can read; a tag can be moved.
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
ONLY_TAGS = "github.event_name == 'push' && github.ref_type == 'tag' && startsWith(github.ref_name, 'v')"
ONLY_RELEASES = f"{ONLY_TAGS} && !contains(github.ref_name, '-')"


def targets(makefile):
    return set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.M))


def variables(makefile):
    """What a command line may set: what the Makefile reads."""
    return set(re.findall(r"\$\(([A-Z_]+)\)", makefile))


def command(line, makefile):
    """What is wrong with one line of a step."""
    if line in (PREPARES, ON_MAIN):
        return []
    words = line.split()
    if words[0] != "make":
        return [f"a step runs something else than make: {line}"]
    called = [word for word in words[1:] if "=" not in word]
    problems = [f"make has no target {word}" for word in called if word not in targets(makefile)]
    if len(called) != 1:
        problems.append(f"a step calls {len(called)} targets: {line}")
    for word in words[1:]:
        if "=" in word and word.split("=")[0] not in variables(makefile):
            problems.append(f"make reads no {word.split('=')[0]}")
    if "${{" in line:
        problems.append(f"a step runs what others may write: {line}")
    return problems


def problems(text, makefile=MAKEFILE):
    workflow = yaml.safe_load(text)
    found = []
    for line in text.splitlines():
        used = re.match(r"\s*(?:- )?uses: (.*)$", line)
        if used and not PINNED.match(used[1]):
            found.append(f"not pinned by commit and version: {used[1]}")
    if re.search(r"\$\{\{[^}]*\bsecrets\b", text):
        found.append("a secret is read; the deployment asks by OIDC")
    if workflow.get("permissions") != {"contents": "read"}:
        found.append("jobs may do more than read, unless they say otherwise")
    # YAML 1.1 takes the word `on` for true.
    if set(workflow[True]) != {"push", "pull_request", "schedule"}:
        found.append(f"it runs on {', '.join(sorted(workflow[True]))}")
    if "concurrency" not in workflow:
        found.append("two runs of one branch go side by side")
    jobs = workflow["jobs"]
    ran = {}
    for name, job in jobs.items():
        deploys = name in ENVIRONMENTS
        if not 0 < job.get("timeout-minutes", 0) <= 120:
            found.append(f"{name} may run for ever")
        wanted = {"contents": "read", "id-token": "write"} if deploys else None
        if job.get("permissions") != wanted:
            found.append(f"{name} may do {job.get('permissions')}")
        if job.get("environment") != (name if deploys else None):
            found.append(f"{name} runs in the environment {job.get('environment')}")
        if job.get("container") != (None if name == "release" else IMAGE):
            found.append(f"{name} runs in {job.get('container')}, and not in {IMAGE}")
        ran[name] = [line for step in job["steps"] for line in step.get("run", "").splitlines()]
        for line in ran[name]:
            found += command(line, makefile)
        for step in job["steps"]:
            action = step.get("uses", "").split("@")[0]
            if action == "actions/checkout" and step.get("with", {}).get("persist-credentials") is not False:
                found.append(f"{name} leaves the token in the checkout")
            if action == "actions/cache" and deploys:
                found.append(f"{name} deploys what a cache brought")
            for path in step.get("with", {}).get("path", "").split():
                if path.rstrip("/") == ".local":
                    found.append(f"{name} caches development secrets")
        if deploys:
            uses = [step.get("uses", step.get("run", "")).split("@")[0] for step in job["steps"]]
            if uses[-2:] != ["aws-actions/configure-aws-credentials", f"make deploy ENV={name} YES=1"]:
                found.append(f"{name} has credentials before it has built")
        elif any(step.get("uses", "").startswith("aws-actions/") for step in job["steps"]):
            found.append(f"{name} asks AWS")
    checkout = jobs.get("release", {}).get("steps", [{}])[0].get("with", {})
    if ran.get("release") != [ON_MAIN] or checkout.get("fetch-depth") != 0 or jobs["release"].get("if") != ONLY_TAGS:
        found.append("a tag beside main is deployed")
    if "make lint-tools" not in itertools.takewhile(lambda line: line != "make lint", ran.get("lint", [])):
        found.append("dependencies and spelling are not judged")
    for target in ("lint", "lint-openapi", "lint-template", "test", "build", "advisories"):
        if not any(f"make {target}" in lines for name, lines in ran.items() if name not in ENVIRONMENTS):
            found.append(f"nothing runs make {target}")
    if jobs.get("staging", {}).get("if") != ONLY_TAGS or jobs.get("prod", {}).get("if") != ONLY_RELEASES:
        found.append("what is no tag is deployed")
    if set(jobs.get("staging", {}).get("needs", [])) != {"release", "lint", "test", "build"} or jobs.get("prod", {}).get("needs") != ["staging"]:
        found.append("a deployment waits for less than everything")
    return found


CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
# What is done to the text, and a part of what must be said of it.
MUTANTS = {
    "a target that is none": ("run: make test\n", "run: make tests\n", "make has no target tests"),
    "a variable that is none": ("ENV=prod YES=1", "ENV=prod YESS=1", "make reads no YESS"),
    "a step past make": ("run: make build\n", "run: cargo build\n", "something else than make: cargo build"),
    "a moving tag": (CHECKOUT, "actions/checkout@v6", "not pinned by commit and version: actions/checkout@v6"),
    "a commit of no version": (CHECKOUT, CHECKOUT.split(" #")[0], "not pinned by commit and version"),
    "a key of AWS": ("${{ vars.AWS_DEPLOY_ROLE }}", "${{ secrets.AWS_DEPLOY_ROLE }}", "a secret is read"),
    "rights for all": ("permissions:\n  contents: read", "permissions: write-all", "jobs may do more than read"),
    "a token for a job that does not deploy": (
        "timeout-minutes: 90\n",
        "timeout-minutes: 90\n    permissions: {contents: read, id-token: write}\n",
        "test may do",
    ),
    "no approval": ("    environment: prod\n", "", "prod runs in the environment None"),
    "the other's approval": ("environment: prod\n", "environment: staging\n", "prod runs in the environment staging"),
    "no end": ("    timeout-minutes: 45\n", "", "lint may run for ever"),
    "side by side": ("concurrency:\n  group: ci", "other:\n  group: ci", "two runs of one branch"),
    "others' code with rights": ("  pull_request:", "  pull_request_target:", "it runs on pull_request_target, push, schedule"),
    "a branch is deployed": (f"if: {ONLY_TAGS}\n", "if: github.event_name == 'push'\n", "what is no tag is deployed"),
    "a candidate is released": (f"if: {ONLY_RELEASES}\n", f"if: {ONLY_TAGS}\n", "what is no tag is deployed"),
    "untested": ("needs: [release, lint, test, build]", "needs: [release, lint, build]", "waits for less than everything"),
    "any commit": ("needs: [release, lint, test, build]", "needs: [lint, test, build]", "waits for less than everything"),
    "past staging": ("needs: [staging]", "needs: [release, lint, test, build]", "waits for less than everything"),
    "main is not asked": (f"      - run: {ON_MAIN}\n", "      - run: make build\n", "a tag beside main is deployed"),
    "main is not known": ("          fetch-depth: 0\n", "", "a tag beside main is deployed"),
    "a moving image": (f"container: {IMAGE}", "container: rust:1-bookworm", "lint runs in rust:1-bookworm"),
    "no linters": ("      - run: make lint-tools\n", "", "dependencies and spelling are not judged"),
    "nothing is tested": ("      - run: make test\n", "", "nothing runs make test"),
    "secrets in a cache": ("            .local/bin\n", "            .local\n", "test caches development secrets"),
    "the token stays": ("          persist-credentials: false\n", "          fetch-depth: 1\n", "leaves the token"),
    "a branch's name is run": ("run: make lint\n", "run: make lint X=${{ github.head_ref }}\n", "what others may write"),
}


class Workflow(unittest.TestCase):
    def test_it_calls_what_the_makefile_has_and_may_do_no_more_than_it_must(self):
        self.assertEqual(problems(WORKFLOW), [])

    def test_a_workflow_that_is_spoilt_is_found_out(self):
        for name, (old, new, said) in MUTANTS.items():
            with self.subTest(name):
                self.assertIn(old, WORKFLOW)
                found = problems(WORKFLOW.replace(old, new))
                self.assertTrue(any(said in line for line in found), f"{said} is not in:\n" + "\n".join(found))

    def test_a_target_that_the_makefile_loses_is_found_out(self):
        makefile = re.sub(r"^lint-template:", "lint-of-template:", MAKEFILE, flags=re.M)
        self.assertIn("make has no target lint-template", problems(WORKFLOW, makefile))


if __name__ == "__main__":
    unittest.main()
