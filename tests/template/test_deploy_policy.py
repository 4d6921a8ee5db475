"""The rights of the role that deploys (local/deploy-policy.json) fit the template, by what AWS's own schema of each resource
type says that its handlers call: `make lint-template`.

Must never ask AWS. Whether AWS refuses anything for another reason is not known here.
"""

import copy
import json
import re
import unittest

import checks
import expand
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

TEXT = (expand.ROOT / "local/deploy-policy.json").read_text()
EXPANDED = expand.expand(expand.read())
# What `fill` of docs/RUNBOOK.md puts there, as long as it can be.
PLACES = {"ACCOUNT": "123456789012", "REGION": "ap-northeast-1", "STACK": "fintrack-staging"}
# What IAM takes for a role's own policies together, without white space.
LONGEST = 10_240
# What a handler may call for a property that this template does not set, as patterns.
UNUSED = (
    r"iam:(Attach|Detach)(Group|User)Policy",
    r"iam:(Put|Delete)RolePermissionsBoundary",
    r"(elasticfilesystem|s3files|firehose):.*",
    r"s3:REST.PUT.OBJECT",
    r"s3tables:.*|s3:(Create|Update|Delete)BucketMetadata.*",
    r"s3:(Put|Delete).*(Replication|Website|C(ors|ORS)|Notification|Logging|Accelerate|Analytics|Metrics|Inventory).*",
    r"s3:(Put|Delete).*(IntelligentTiering|ObjectLock|Acl|Abac).*",
    # A deployment makes the bucket of backups, and neither reads nor deletes one.
    r"s3:DeleteObject",
    r"kms:(CreateGrant|Encrypt)",  # a function's own key
    r"lambda:(GetCodeSigningConfig|(Put|Delete)FunctionCodeSigningConfig)",
    r"lambda:(Put|Delete)ProvisionedConcurrencyConfig",
    r"lambda:(GetLayerVersion|PutFunctionRecursionConfig|PutFunctionScalingConfig|PassCapacityProvider|AssociateRuntimeAlias)",
    r"logs:(Put|Delete)(DataProtectionPolicy|IndexPolicy)",
    r"logs:(DeleteResourcePolicy|PutBearerTokenAuthentication|PutLogGroupDeletionProtection)",
    r"sns:PutDataProtectionPolicy",
    r"codedeploy:RegisterOnPremisesInstance",
    r"ec2:.*Ingress",
    r"secretsmanager:(ReplicateSecretToRegions|RemoveRegionsFromReplication)",
    # A deployment makes secrets and never reads one.
    r"secretsmanager:GetSecretValue",
)
# What no handler calls, and who does.
BESIDE = (
    r"cloudformation:.*",  # sam
    r"s3:.*",  # sam, and its stack with the bucket of what is deployed
    r"iam:CreateServiceLinkedRole",  # API Gateway, for the account's first domain name
    r"logs:(Get|Update|Delete)LogDelivery|logs:ListLogDeliveries",  # API Gateway, for access logs
)


def listed(value):
    return value if isinstance(value, list) else [value]


def called(kind):
    """What the handlers of a resource type call."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
    return {action for name, handler in handlers.items() if name != "list" for action in handler["permissions"]}


def is_one_of(action, patterns):
    return any(re.fullmatch(pattern, action) for pattern in patterns)


def problems(policy, expanded):
    found = []
    granted = {}
    for it in policy["Statement"]:
        if it["Effect"] != "Allow" or "NotAction" in it or "NotResource" in it:
            found.append(f"{it['Sid']} is of another form")
        for action in listed(it["Action"]):
            granted[action] = it
            if "*" in action:
                found.append(f"{it['Sid']} grants {action}")
        for resource in listed(it["Resource"]):
            words = set(re.findall(r"[A-Z]{4,}", resource)) - set(PLACES)
            if words:
                found.append(f"{it['Sid']} has a place that nobody fills: {', '.join(words)}")
    kinds = {it["Type"] for it in expanded["Resources"].values()}
    needed = {action: kind for kind in sorted(kinds) for action in called(kind)}
    known = {action.lower() for action in granted}
    for action, kind in needed.items():
        if action.lower() not in known and not is_one_of(action, UNUSED):
            found.append(f"{kind} wants {action}")
    wanted = {action.lower() for action in needed}
    for action in granted:
        if action.lower() not in wanted and not is_one_of(action, BESIDE):
            found.append(f"nothing calls {action}")
        if is_one_of(action, UNUSED):
            found.append(f"{action} is granted, and is of no use")
    for name in checks.of_type(expanded, "AWS::SecretsManager::Secret"):
        # A secret without a name is called by its logical id.
        if f"secret:{name}-*" not in json.dumps(policy):
            found.append(f"the secret {name} may not be made")
    for name in ("iam:PassRole", "iam:CreateServiceLinkedRole", "iam:AttachRolePolicy"):
        if name in granted and "Condition" not in granted[name]:
            found.append(f"{name} is for whatever one likes")
    for action, it in granted.items():
        if re.match(r"iam:|lambda:|s3:|sns:(Create|Delete|Set)Topic", action) and it["Resource"] == "*":
            found.append(f"{action} is for every resource of the account")
    filled = json.dumps(policy, separators=(",", ":"))
    for place, value in PLACES.items():
        filled = filled.replace(place, value)
    if len(filled) > LONGEST:
        found.append(f"it has {len(filled)} characters, more than IAM takes")
    return found


def without(action):
    def spoil(policy, _):
        for it in policy["Statement"]:
            it["Action"] = [each for each in listed(it["Action"]) if each != action]

    return spoil


def add(action, resource="*"):
    def spoil(policy, _):
        policy["Statement"].append({"Sid": "Added", "Effect": "Allow", "Action": action, "Resource": resource})

    return spoil


def resource_of(kind):
    def spoil(_, expanded):
        expanded["Resources"]["Added"] = {"Type": kind, "Properties": {}}

    return spoil


def everywhere(policy, _):
    next(it for it in policy["Statement"] if it["Sid"] == "Functions")["Resource"] = "*"


def unconditional(policy, _):
    for it in policy["Statement"]:
        it.pop("Condition", None)


MUTANTS = {
    "a right is lost": (without("lambda:PublishVersion"), "AWS::Lambda::Version wants lambda:PublishVersion"),
    "access logs are refused": (without("logs:CreateLogDelivery"), "AWS::Logs::LogGroup wants logs:CreateLogDelivery"),
    "roles are not passed": (without("iam:PassRole"), "wants iam:PassRole"),
    "a new kind of resource": (resource_of("AWS::DynamoDB::Table"), "AWS::DynamoDB::Table wants dynamodb:CreateTable"),
    "a new secret": (resource_of("AWS::SecretsManager::Secret"), "the secret Added may not be made"),
    "a backup is deleted": (add("s3:DeleteObject", "arn:aws:s3:::STACK-backupbucket-*"), "s3:DeleteObject is granted, and is of no use"),
    "a right of no use": (add("lambda:InvokeFunction", "arn:aws:lambda:REGION:ACCOUNT:function:STACK-*"), "nothing calls lambda:InvokeFunction"),
    "secrets are read": (add("secretsmanager:GetSecretValue"), "secretsmanager:GetSecretValue is granted, and is of no use"),
    "all of a service": (add("iam:*"), "Added grants iam:*"),
    "any function": (everywhere, "lambda:CreateFunction is for every resource of the account"),
    "any role to any service": (unconditional, "iam:PassRole is for whatever one likes"),
    "a place that nobody fills": (add("sns:CreateTopic", "arn:aws:sns:PLACE:ACCOUNT:STACK-*"), "nobody fills: PLACE"),
    "too long": (add([f"s3:{'x' * 50}{n}" for n in range(200)]), "more than IAM takes"),
}


class DeployPolicy(unittest.TestCase):
    maxDiff = None

    def test_the_role_that_deploys_may_do_what_the_template_needs_and_no_more(self):
        self.assertEqual(problems(json.loads(TEXT), EXPANDED), [])

    def test_a_policy_that_is_spoilt_is_found_out(self):
        for name, (spoil, said) in MUTANTS.items():
            with self.subTest(name):
                policy, expanded = json.loads(TEXT), copy.deepcopy(EXPANDED)
                spoil(policy, expanded)
                found = problems(policy, expanded)
                self.assertTrue(any(said in line for line in found), f"{said} is not in:\n" + "\n".join(found))

    def test_every_exception_is_one(self):
        kinds = {it["Type"] for it in EXPANDED["Resources"].values()}
        calls = {action for kind in kinds for action in called(kind)}
        granted = {action for it in json.loads(TEXT)["Statement"] for action in listed(it["Action"])}
        for pattern in UNUSED:
            self.assertTrue(any(re.fullmatch(pattern, action) for action in calls), f"no handler calls {pattern}")
        for pattern in BESIDE:
            self.assertTrue(any(re.fullmatch(pattern, action) for action in granted), f"nothing of {pattern} is granted")


if __name__ == "__main__":
    unittest.main()
