"""Every command of AWS's that a document tells a person to type is one that AWS's own models have, with such options, and every
block is shell that a shell can read: `make lint-template`.

Must never run any of them. What needs an account is not known here.
"""

import re
import shlex
import subprocess
import unittest

import botocore.session
import expand

DOCUMENTS = ("docs/RUNBOOK.md", "docs/slo.md")
SESSION = botocore.session.get_session()
# What a person calls a service, where the models say otherwise.
SERVICES = {"deploy": "codedeploy", "s3api": "s3"}
GLOBAL = {"--cli-read-timeout", "--output", "--query", "--region", "--profile", "--no-cli-pager", "--endpoint-url"}
# The command line's own, which are no operation of a service.
OWN = {
    ("configure", "export-credentials"): {"--format", "--profile"},
    ("logs", "tail"): {"--since", "--filter-pattern", "--format", "--follow"},
    ("s3", "cp"): {"--sse", "--sse-kms-key-id", "--recursive", "--only-show-errors", "--quiet", "--expected-size"},
    ("s3", "ls"): {"--recursive", "--human-readable", "--summarize"},
}
# Options that the command line adds to an operation, or has under another name.
ADDED = {
    "subscribe": {"--notification-endpoint"},
    "authorize-security-group-ingress": {"--protocol", "--port", "--cidr", "--source-group"},
    "authorize-security-group-egress": {"--protocol", "--port", "--cidr"},
}


def blocks(text):
    """The shell of a document, each block without its list's indentation; what inline code has of AWS's, too."""
    for indent, inside in re.findall(r"^( *)```sh\n(.*?)^ *```$", text, re.M | re.S):
        yield re.sub(rf"^{indent}", "", inside, flags=re.M)
    for code in re.findall(r"`(aws [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S)):
        yield code


def commands(block):
    """Each call of `aws` in a block, as words; it ends where the shell's grammar ends it."""
    joined = re.sub(r"\\\n\s*", " ", block)
    for called in re.finditer(r"(?<![\w/.-])aws (?=[a-z0-9-]+ [a-z-]+)", joined):
        words = shlex.shlex(joined[called.start() :], posix=True, punctuation_chars=";|&()")
        words.whitespace_split, words.commenters = True, "#"
        words.whitespace = " \t"
        found = []
        try:
            for word in words:
                if word.startswith("\n") or set(word) <= set(";|&()<>"):
                    break
                found.append(word.split("\n")[0])
                if "\n" in word and not word.startswith(("{", "[")):
                    break
        except ValueError:
            pass  # a quote that the shell closes outside of a $( … )
        yield found


def options_of(service, operation):
    """The options of an operation, with the ones without a value in both their forms; None where there is none."""
    if service not in SESSION.get_available_services():
        return None
    model = SESSION.get_service_model(service)
    for name in model.operation_names:
        if botocore.xform_name(name, "-") == operation:
            found = {"--cli-input-json"}
            members = model.operation_model(name).input_shape.members if model.operation_model(name).input_shape else {}
            for member, shape in members.items():
                option = f"--{botocore.xform_name(member, '-')}"
                found |= {option, f"--no-{option[2:]}"} if shape.type_name == "boolean" else {option}
            return found
    return None


def problems(text):
    found = []
    for block in blocks(text):
        read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        if read.returncode or read.stderr:
            found.append(f"no shell reads: {block.strip()[:60]}… {read.stderr.strip()}")
        for words in commands(block):
            _, service, operation, *rest = words
            shown = f"aws {service} {operation}"
            service = SERVICES.get(service, service)
            if operation == "wait":
                waiters = SESSION.create_client(service, region_name="us-east-1").waiter_names
                if rest[0].replace("-", "_") not in waiters:
                    found.append(f"{shown} {rest[0]}: there is none")
                continue
            known = OWN.get((service, operation)) or options_of(service, operation)
            if known is None:
                found.append(f"{shown}: there is none")
                continue
            for option in (word.split("=")[0] for word in rest if re.match(r"--[a-z]", word)):
                if option not in known | GLOBAL | ADDED.get(operation, set()):
                    found.append(f"{shown} has no {option}")
    return found


# What is done to a document's text, and a part of what must be said of it.
MUTANTS = {
    "an operation that is none": ("aws lambda update-alias", "aws lambda move-alias", "aws lambda move-alias: there is none"),
    "a service that is none": ("aws deploy stop-deployment", "aws deployer stop-deployment", "aws deployer stop-deployment: there is none"),
    "an option that is none": ("--resources-to-skip", "--skip-resources", "aws cloudformation continue-update-rollback has no --skip-resources"),
    "an option of another": ("--version-stage AWSCURRENT", "--stage AWSCURRENT", "update-secret-version-stage has no --stage"),
    "a waiter that is none": ("wait stack-rollback-complete", "wait stack-rolled-back", "stack-rolled-back: there is none"),
    "a switch that is none": ("--private-dns-enabled", "--private-dns", "aws ec2 create-vpc-endpoint has no --private-dns"),
    "a quote that is not closed": ('"$(output DbSecretArn)"', '"$(output DbSecretArn)', "no shell reads"),
    "a loop without an end": ("  done\ndone\n", "  done\n", "no shell reads"),
    "in a line of text": ("`aws events enable-rule --name", "`aws events enable-rules --name", "aws events enable-rules: there is none"),
}


class Runbook(unittest.TestCase):
    maxDiff = None

    def test_what_a_person_is_told_to_type_is_there(self):
        for document in DOCUMENTS:
            with self.subTest(document):
                text = (expand.ROOT / document).read_text()
                self.assertEqual(problems(text), [])

    def test_most_of_what_is_typed_is_judged(self):
        text = (expand.ROOT / DOCUMENTS[0]).read_text()
        judged = [words[1:3] for block in blocks(text) for words in commands(block)]
        self.assertGreater(len(judged), 50)
        self.assertIn(["lambda", "update-alias"], judged, "in a function, in a loop")
        self.assertIn(["kms", "create-key"], judged, "in a $( … )")

    def test_a_document_that_is_spoilt_is_found_out(self):
        text = (expand.ROOT / DOCUMENTS[0]).read_text()
        for name, (old, new, said) in MUTANTS.items():
            with self.subTest(name):
                self.assertIn(old, text)
                found = problems(text.replace(old, new, 1))
                self.assertTrue(any(said in line for line in found), f"{said} is not in:\n" + "\n".join(found))


if __name__ == "__main__":
    unittest.main()
