"""template.yaml as CloudFormation makes it: plain resources, as AWS's own translator expands them.

Must never ask AWS. The translator would only for the names of AWS's managed policies, and no function here uses one.

Usage: expand.py, which prints it as JSON.
"""

import copy
import json
import logging
import os
import pathlib

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # which the translator wants to know
logging.getLogger("samtranslator").setLevel(logging.CRITICAL)

from samcli.yamlhelper import yaml_parse  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(path=ROOT / "template.yaml"):
    """The template as it is written, with its short forms (`!Ref`) as long ones (`{"Ref": …}`)."""
    return yaml_parse(path.read_text())


def parameters(template, given=None):
    """A value for each parameter: what is given, else its default, else its name."""
    values = {name: definition.get("Default", name) for name, definition in template["Parameters"].items()}
    return {**values, **(given or {})}


def expand(template, given=None, code=""):
    """What a template deploys; the template itself stays as it is. `code` is what changes when code does."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # What `sam deploy` puts in the folder's place.
            folder = resource["Properties"]["CodeUri"].rstrip("/")
            resource["Properties"]["CodeUri"] = f"s3://bucket/{folder}{code}"
    values = parameters(template, given)
    return Translator(managed_policy_map={}, sam_parser=Parser()).translate(template, values)


if __name__ == "__main__":
    print(json.dumps(expand(read()), indent=1))
