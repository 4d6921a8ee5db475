"""The deployed template is what it must be, and a template that is not is found out: `make lint-template` runs this.

`UPDATE=1` writes the two files of expected lines anew, for a person to review.
"""

import copy
import io
import json
import os
import re
import sys
import types
import unittest

import checks
import expand

TEMPLATE = expand.read()
EXPANDED = expand.expand(TEMPLATE)
HEADERS = {
    "iam.allowed": "# Every IAM statement of the deployed template, one a line. One that is not here fails `make lint-template`.\n",
    "alarms.expected": "# Every alarm of the deployed template, one a line. One that is lost or changed fails `make lint-template`.\n",
}


def setUpModule():
    if os.environ.get("UPDATE"):
        lines = {"iam.allowed": checks.iam_lines(EXPANDED), "alarms.expected": checks.alarm_lines(EXPANDED)}
        for file, header in HEADERS.items():
            note = "# `UPDATE=1 make lint-template` writes it; a person reviews it.\n"
            (checks.HERE / file).write_text(header + note + "\n".join(lines[file]) + "\n")


class Deployed(unittest.TestCase):
    """One test for each check, so that each says what it found."""


def as_test(check):
    def test(self):
        self.assertEqual(check(EXPANDED), [])

    test.__doc__ = check.__name__
    return test


for each in checks.ALL:
    setattr(Deployed, f"test_{each.__name__}", as_test(each))


# ---- what must go red ----------------------------------------------------------------------------------------------------
# A way to spoil the template as it is written: what is done to its resources, and a part of what must be said of it.
def drop(*path):
    def spoil(resources):
        inside = resources
        for step in path[:-1]:
            inside = inside[step]
        del inside[path[-1]]

    return spoil


def put(value, *path):
    def spoil(resources):
        inside = resources
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = value

    return spoil


def own_statement(role, index, **changes):
    def spoil(resources):
        statements = resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        statements[index].update(changes)

    return spoil


FUNCTION = ("AuthFunction", "Properties")
API = ("Api", "Properties")
MUTANTS = {
    "a route is lost": (drop(*FUNCTION, "Events", "AliasProxy"), "/api/auth/{proxy+} has no route"),
    "the default route is lost": (drop("HealthFunction", "Properties", "Events", "Default"), "$default has no route"),
    "a route is one of a single method": (
        put("POST", *FUNCTION, "Events", "Root", "Properties", "Method"),
        "/api/v1/auth is routed for post apart",
    ),
    "a route is another's": (
        put("/api/v1/money", *FUNCTION, "Events", "Root", "Properties", "Path"),
        "/api/v1/money is a route of nothing known",
    ),
    "the gateway gives up before the function": (
        put(9000, *FUNCTION, "Events", "Root", "Properties", "TimeoutInMillis"),
        "/api/v1/auth waits 9000 ms",
    ),
    "the gateway answers CORS": (
        put({"AllowOrigins": ["*"]}, *API, "CorsConfiguration"),
        "the API answers CORS by itself",
    ),
    "both names of the API answer": (
        drop(*API, "DisableExecuteApiEndpoint"),
        "API Gateway's own name must be off with a domain",
    ),
    "the stage is in the path": (put("v1", *API, "StageName"), "the stage is not $default"),
    "there are no access logs": (drop(*API, "AccessLogSettings"), "there are no access logs"),
    "a field of the access log is lost": (
        lambda resources: put(
            resources["Api"]["Properties"]["AccessLogSettings"]["Format"].replace("$context.identity.sourceIp", "-"),
            *API,
            "AccessLogSettings",
            "Format",
        )(resources),
        "the access log has no identity.sourceIp",
    ),
    "nothing throttles": (drop(*API, "DefaultRouteSettings"), "ThrottlingRateLimit is not ThrottleRate"),
    "log-ins are throttled later": (
        put({"Ref": "ThrottleRate"}, *API, "RouteSettings", "ANY /api/auth/{proxy+}", "ThrottlingRateLimit"),
        "ANY /api/auth/{proxy+} lets through a burst that AuthFunction could not take",
    ),
    "a burst is larger than what is reserved": (
        put({"Ref": "ThrottleBurst"}, *API, "RouteSettings", "$default", "ThrottlingBurstLimit"),
        "$default lets through a burst that HealthFunction could not take",
    ),
    "a route that is none has settings": (
        put({}, *API, "RouteSettings", "ANY /api/v1/money"),
        "ANY /api/v1/money has settings and is no route",
    ),
    "Lambda drops metrics with lines": (
        put({"Ref": "LogLevel"}, *FUNCTION, "LoggingConfig", "ApplicationLogLevel"),
        "auth's LoggingConfig",
    ),
    "a timeout is longer": (put(29, *FUNCTION, "Timeout"), "auth's Timeout is 29"),
    "memory is less": (put(128, *FUNCTION, "MemorySize"), "auth's MemorySize is 128"),
    "a function is not traced": (put("PassThrough", *FUNCTION, "Tracing"), "auth's TracingConfig"),
    "concurrency is not reserved": (drop(*FUNCTION, "ReservedConcurrentExecutions"), "auth's ReservedConcurrentExecutions"),
    "a function takes another's role": (
        put({"Fn::GetAtt": ["AccountsRole", "Arn"]}, *FUNCTION, "Role"),
        "two functions share a role",
    ),
    "a secret is in the environment": (
        put("hunter2", *FUNCTION, "Environment", "Variables", "JWT_SECRET"),
        "auth has JWT_SECRET in its environment",
    ),
    "a secret is in the definition": (
        put("{{resolve:secretsmanager:it}}", *FUNCTION, "Environment", "Variables", "MAIL_FROM"),
        "auth has a secret's value in its definition",
    ),
    "a function is told of a secret that it does not need": (
        put(
            {"Fn::If": ["IsLocal", {"Ref": "AWS::NoValue"}, {"Fn::Join": [",", [{"Ref": "DbSecretArn"}, {"Ref": "JwtSecret"}]]}]},
            "HealthFunction",
            "Properties",
            "Environment",
            "Variables",
            "SECRETS_ID",
        ),
        "health is told of the secrets ['DbSecretArn', 'JwtSecret'], and needs ['DbSecretArn']",
    ),
    "a log group is kept for ever": (drop("AuthLogGroup", "Properties", "RetentionInDays"), "AuthLogGroup is kept for ever"),
    "a function logs elsewhere": (
        put({"Ref": "AWS::StackName"}, *FUNCTION, "LoggingConfig", "LogGroup"),
        "AuthFunction writes to a log group that the template does not keep",
    ),
    "a secret goes with the stack": (drop("PepperSecret", "DeletionPolicy"), "PepperSecret goes with the stack"),
    "a secret in use is made anew": (
        put(63, "PepperSecret", "Properties", "GenerateSecretString", "PasswordLength"),
        "PepperSecret is generated otherwise than before",
    ),
    "a role may do something everywhere": (
        own_statement("AuthRole", 1, Resource="*"),
        "AuthRole may do secretsmanager:GetSecretValue everywhere",
    ),
    "a role may do anything": (
        own_statement("AuthRole", 1, Action="secretsmanager:*"),
        "AuthRole has a statement of unnamed actions",
    ),
    "a role reads another's secret": (
        own_statement("AccountsRole", 1, Resource=[{"Ref": "DbSecretArn"}, {"Ref": "PepperSecret"}]),
        "iam.allowed has no line: AccountsRole: allow secretsmanager:GetSecretValue on DbSecretArn,PepperSecret",
    ),
    "a role takes a policy of AWS": (
        put([{"Ref": "TracingPolicy"}, "arn:aws:iam::aws:policy/ReadOnlyAccess"], "AuthRole", "Properties", "ManagedPolicyArns"),
        "iam.allowed has no line: AuthRole: has arn:aws:iam::aws:policy/ReadOnlyAccess",
    ),
    "a condition is turned round": (
        lambda resources: resources["BackupRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][3]["Fn::If"][1].update(
            Condition={"StringNotEquals": {"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.${AWS::URLSuffix}"}}}
        ),
        "kms:ViaService StringNotEquals s3",
    ),
    "anybody may invoke a function": (
        put(
            {
                "Type": "AWS::Lambda::Permission",
                "Properties": {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "AuthFunction.Alias"}, "Principal": "*"},
            },
            "Anybody",
        ),
        "iam.allowed has no line: Anybody: allow lambda:InvokeFunction by *",
    ),
    "a secret has a policy of its own": (
        put(
            {
                "Type": "AWS::SecretsManager::ResourcePolicy",
                "Properties": {
                    "SecretId": {"Ref": "JwtSecret"},
                    "ResourcePolicy": {
                        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]
                    },
                },
            },
            "Shared",
        ),
        "Shared may do secretsmanager:GetSecretValue everywhere",
    ),
    "another service takes a role": (
        put({"Service": "ec2.amazonaws.com"}, "AuthRole", "Properties", "AssumeRolePolicyDocument", "Statement", 0, "Principal"),
        "iam.allowed has no line: AuthRole: allow sts:AssumeRole by ec2.amazonaws.com",
    ),
    "a statement is lost": (
        lambda resources: resources["AuthRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].pop(0),
        "the template has lost: AuthRole: allow logs:CreateLogStream",
    ),
    "an alarm watches what nothing counts": (
        put("LoginFailures", "LoginFailedAlarm", "Properties", "MetricName"),
        "LoginFailedAlarm watches LoginFailures of auth, which nothing counts",
    ),
    "an alarm watches a service that is not there": (
        put("mongo", "HealthMongodbAlarm", "Properties", "Dimensions", 0, "Value"),
        "HealthMongodbAlarm watches HealthFailure of mongo, which nothing counts",
    ),
    "an alarm watches a metric that AWS does not have": (
        put("Error", "AuthErrorsAlarm", "Properties", "MetricName"),
        "AuthErrorsAlarm watches AWS/Lambda Error, which is not known to exist",
    ),
    "an alarm watches what another function counts": (
        put("accounts", "LoginFailedAlarm", "Properties", "Dimensions", 0, "Value"),
        "LoginFailedAlarm watches LoginFailed of accounts, which nothing counts",
    ),
    "an alarm's actions are off": (
        put(False, "AuthErrorsAlarm", "Properties", "ActionsEnabled"),
        "the template has lost: AuthErrorsAlarm",
    ),
    "nobody is told of the end": (
        drop("CustomerImpactAlarm", "Properties", "OKActions"),
        "the template has lost: CustomerImpactAlarm",
    ),
    "an alarm tells nobody": (drop("AuthErrorsAlarm", "Properties", "AlarmActions"), "AuthErrorsAlarm tells somebody else"),
    "an alarm rings later": (
        put(9999, "AuthDurationAlarm", "Properties", "Threshold"),
        "auth's Duration alarm rings at 9999 ms, not at 80 % of its timeout",
    ),
    "customers' alarm forgets the API": (
        put({"Fn::Sub": 'ALARM("${ApiLatencyAlarm}")'}, "CustomerImpactAlarm", "Properties", "AlarmRule"),
        "the template has lost: CustomerImpactAlarm",
    ),
    "the dashboard is not JSON": (put({"Fn::Sub": "{"}, "Dashboard", "Properties", "DashboardBody"), "the dashboard is not JSON"),
    "the dashboard hides a metric": (
        lambda resources: put(
            {"Fn::Sub": resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].replace('"Throttles"', '"Errors"')},
            "Dashboard",
            "Properties",
            "DashboardBody",
        )(resources),
        "the dashboard does not show what AuthThrottlesAlarm watches",
    ),
    "the dashboard hides what no alarm watches": (
        lambda resources: put(
            {"Fn::Sub": resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].replace('"ColdStart"', '"Requests"')},
            "Dashboard",
            "Properties",
            "DashboardBody",
        )(resources),
        "nothing shows ColdStart of auth",
    ),
    "an alarm is not in the runbook": (
        put({"Fn::Sub": "${AWS::StackName}-passwords-tried"}, "LoginFailedAlarm", "Properties", "AlarmName"),
        "docs/RUNBOOK.md has 0 rows of the alarm passwords-tried",
    ),
    "the runbook tells of an alarm that is gone": (
        drop("LoginFailedAlarm"),
        "docs/RUNBOOK.md tells of the alarm login-failed, and there is none",
    ),
    "a deployment is none": (
        put({"Enabled": False}, *FUNCTION, "DeploymentPreference"),
        "auth is deployed at once, without an alias",
    ),
    "a deployment looks at no alarm": (
        drop(*FUNCTION, "DeploymentPreference", "Alarms"),
        "auth's deployment does not look at its alarms",
    ),
    "a version is not tested": (
        put({"Ref": "AuthFunction"}, "SmokeTest", "Properties", "Environment", "Variables", "VERSION_AUTH"),
        "the smoke test does not ask auth's new version",
    ),
    "an alarm of a deployment watches the old version too": (
        lambda resources: resources["AuthNewErrorsAlarm"]["Properties"]["Dimensions"].pop(),
        "auth's NewErrors alarm does not watch the new version",
    ),
    "an alarm of a deployment watches another's version": (
        lambda resources: put(
            resources["AccountsNewServerErrorsAlarm"]["Properties"]["Dimensions"][1],
            *("AuthNewServerErrorsAlarm", "Properties", "Dimensions", 1),
        )(resources),
        "auth's NewServerErrors alarm does not watch the new version",
    ),
    "deployments wait for an alarm of another name": (
        put("api-errors", "ApiServerErrorsAlarm", "Properties", "AlarmName"),
        "deployments look at an alarm of a name that none has",
    ),
    "the schedule is slower": (
        put("rate(5 minutes)", "HealthFunction", "Properties", "Events", "EveryMinute", "Properties", "Schedule"),
        "health is not checked each minute",
    ),
    "the schedule repeats": (
        put(2, "HealthFunction", "Properties", "Events", "EveryMinute", "Properties", "RetryPolicy", "MaximumRetryAttempts"),
        "the schedule repeats what failed",
    ),
    "Lambda repeats": (
        put(2, "HealthFunction", "Properties", "EventInvokeConfig", "MaximumRetryAttempts"),
        "Lambda repeats checks that failed",
    ),
    "resources wait for each other": (
        put({"Ref": "ApiServerErrorsAlarm"}, *FUNCTION, "DeploymentPreference", "Alarms", "Fn::If", 1, 2),
        "these wait for each other",
    ),
    "functions may connect anywhere": (
        put([{"IpProtocol": "-1", "FromPort": 0, "ToPort": 65535}], "FunctionSecurityGroup", "Properties", "SecurityGroupEgress"),
        "functions may connect to the ports [('0', '65535')]",
    ),
    "a backup is scheduled by hand": (
        drop("BackupFunction", "Properties", "Events", "Scheduled"),
        "there are 0 schedules of backups",
    ),
    "the schedule of backups is off": (
        put("DISABLED", "BackupFunction", "Properties", "Events", "Scheduled", "Properties", "State"),
        "the schedule of backups is off",
    ),
    "the backup waits for a canary": (
        drop("BackupFunction", "Properties", "DeploymentPreference"),
        "backup has no alias, or one that waits for requests",
    ),
    "a backup is not tried again": (
        put(0, "BackupFunction", "Properties", "EventInvokeConfig", "MaximumRetryAttempts"),
        "a backup that failed is not tried once more",
    ),
    "a backup goes elsewhere": (
        put("another", "BackupFunction", "Properties", "Environment", "Variables", "BACKUP_BUCKET"),
        "backup does not write to the bucket",
    ),
    "backups take the bucket's own key": (
        drop("BackupFunction", "Properties", "Environment", "Variables", "BACKUP_KMS_KEY_ID"),
        "backup does not take the key",
    ),
    "the backups go with the stack": (drop("BackupBucket", "DeletionPolicy"), "the backups go with the stack"),
    "a backup can be overwritten": (
        drop("BackupBucket", "Properties", "VersioningConfiguration"),
        "a backup can be overwritten",
    ),
    "a backup can be another account's": (
        drop("BackupBucket", "Properties", "OwnershipControls"),
        "another account can own a backup",
    ),
    "a backup can be public": (
        put(False, "BackupBucket", "Properties", "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
        "a backup can be public",
    ),
    "a backup is not sealed": (drop("BackupBucket", "Properties", "BucketEncryption"), "a backup is not sealed with the key"),
    "backups are kept for ever": (
        lambda resources: resources["BackupBucket"]["Properties"]["LifecycleConfiguration"]["Rules"].pop(0),
        "backups are kept for another time",
    ),
    "what was broken off is kept": (
        lambda resources: resources["BackupBucket"]["Properties"]["LifecycleConfiguration"]["Rules"].pop(1),
        "what was broken off is kept",
    ),
    "a backup can be read in the clear": (drop("BackupBucketPolicy"), "a backup can be read in the clear"),
    "the backup may delete": (
        own_statement("BackupRole", 2, Action=["s3:PutObject", "s3:DeleteObject"]),
        "iam.allowed has no line: BackupRole: allow s3:PutObject,s3:DeleteObject",
    ),
    "the backup reads a secret that it does not need": (
        own_statement("BackupRole", 1, Resource=[{"Ref": "DbSecretArn"}, {"Ref": "PepperSecret"}]),
        "iam.allowed has no line: BackupRole: allow secretsmanager:GetSecretValue on DbSecretArn,PepperSecret",
    ),
    "the functions may connect for traces that nobody receives": (
        put("InVpc", "TracesEgress", "Condition"),
        "functions may connect to a receiver of traces that is not there",
    ),
    "the network is there without a VPC": (drop("FunctionSecurityGroup", "Condition"), "FunctionSecurityGroup is there without a VPC"),
}
# Every alarm, every role and every secret, dropped one by one.
for name, resource in TEMPLATE["Resources"].items():
    if resource["Type"].startswith("AWS::CloudWatch::") and resource["Type"] != "AWS::CloudWatch::Dashboard":
        MUTANTS[f"{name} is lost"] = (drop(name), f"the template has lost: {name}:")
    if resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        MUTANTS[f"{name} is lost"] = (drop(name), f"the template has lost: {name}:")
    if resource["Type"] == "AWS::SecretsManager::Secret":
        MUTANTS[f"{name} is lost"] = (drop(name), f"{name} is not made")
# Every route, dropped one by one.
for name, resource in TEMPLATE["Resources"].items():
    for event, definition in resource.get("Properties", {}).get("Events", {}).items():
        if definition["Type"] == "HttpApi":
            path = definition["Properties"].get("Path", "$default")
            MUTANTS[f"{path} is lost"] = (drop(name, "Properties", "Events", event), f"{path} has no route")


# The settings of every route, dropped one by one.
for key in TEMPLATE["Resources"]["Api"]["Properties"]["RouteSettings"]:
    MUTANTS[f"the settings of {key} are lost"] = (drop(*API, "RouteSettings", key), f"{key} lets through a burst")


class Spoilt(unittest.TestCase):
    def spoilt(self, spoil):
        template = copy.deepcopy(TEMPLATE)
        spoil(template["Resources"])
        left = template["Resources"]
        lost = {name for name in TEMPLATE["Resources"] if name not in left}
        if lost and all(it == TEMPLATE["Resources"][name] for name, it in left.items()):
            # None is the translator's: what it makes of the others is the same. 0.3 s each time.
            resources = {name: it for name, it in EXPANDED["Resources"].items() if name not in lost}
            return {**EXPANDED, "Resources": resources}
        return expand.expand(template)

    def test_a_template_that_is_spoilt_is_found_out(self):
        self.assertGreater(len(MUTANTS), 120)
        for name, (spoil, said) in MUTANTS.items():
            with self.subTest(name):
                found = checks.problems(self.spoilt(spoil))
                self.assertTrue(any(said in line for line in found), f"{said} is not in:\n" + "\n".join(found))


    def test_a_level_that_drops_metrics_is_found_out(self):
        for change, said in (
            ({"ERROR": {"Lambda": "ERROR"}}, "with LogLevel=ERROR Lambda keeps ERROR only"),
            ({"INFO": {"Lambda": "WARN"}}, "with LogLevel=INFO Lambda keeps WARN only"),
        ):
            levels = {**EXPANDED["Mappings"]["LogLevels"], **change}
            self.assertEqual(checks.log_levels({**EXPANDED, "Mappings": {"LogLevels": levels}}), [said])
        self.assertEqual(len(checks.log_levels({**EXPANDED, "Mappings": {"LogLevels": {}}})), 5)


# A way to spoil the runbook: a part of its text, what takes its place, and a part of what must be said of it.
RUNBOOK_MUTANTS = {
    "a row is lost": ("| `<stack>-login-failed` |", "| `login-failed` |", "has 0 rows of the alarm login-failed"),
    "a row of all functions is lost": ("-<function>-throttles` |", "-auth-throttles` |", "has 0 rows of the alarm transactions-throttles"),
    "a row is there twice": ("| `<stack>-health-redis` |", "| `<stack>-health-mongodb` |", "has two rows of one alarm"),
    "a row tells of no alarm": ("`<stack>-login-failed`", "`<stack>-log-in-failed`", "tells of the alarm log-in-failed"),
    "a row does not say what to do": ("| `ringing`: which of the four? |", "| ", "does not say of customer-impact"),
    "an alarm that is not counted": ("alarms on 84 metrics", "alarms on 83 metrics", "does not say: 60 alarms on 84"),
    "environments that are not counted": ("reserves 266", "reserves 265", "does not say: The stack reserves 266"),
    "connections that are not counted": ("**798**", "**795**", "does not say: **798**"),
    "an output that is none": ("output DashboardUrl", "output Dashboards", "asks for the output Dashboards"),
    "a parameter that is none": ("`LoginFailedMax`", "`LoginsFailedMax`", "names LoginsFailedMax"),
    "a target that is none": ("make doctor USER=all", "make doctors USER=all", "calls make doctors"),
}


class Runbook(unittest.TestCase):
    def test_a_runbook_that_is_spoilt_is_found_out(self):
        for name, (old, new, said) in RUNBOOK_MUTANTS.items():
            with self.subTest(name):
                self.assertIn(old, checks.RUNBOOK)
                found = checks.runbook(EXPANDED, checks.RUNBOOK.replace(old, new))
                self.assertTrue(any(said in line for line in found), f"{said} is not in:\n" + "\n".join(found))


# ---- versions ------------------------------------------------------------------------------------------------------------
def versions(**parameters):
    expanded = expand.expand(TEMPLATE, parameters)
    return {name for name, it in expanded["Resources"].items() if it["Type"] == "AWS::Lambda::Version"}


class Releases(unittest.TestCase):
    def test_a_new_release_publishes_every_function_and_the_same_one_none(self):
        first, second = "a" * 64, "b" * 64
        self.assertEqual(versions(Release=first), versions(Release=first))
        self.assertEqual(len(versions(Release=first) | versions(Release=second)), 2 * len({**checks.FUNCTIONS, **checks.JOBS}))

    def test_a_setting_alone_would_publish_nothing_which_is_why_there_is_a_release(self):
        self.assertEqual(versions(LogLevel="DEBUG"), versions(LogLevel="WARN"))

    def test_each_function_says_its_release_and_its_commit(self):
        # Lambda publishes no version of a function that did not change, so it must; what is read in a rollback is the commit.
        release, commit = "a" * 64, "0123456789ab"
        expanded = expand.expand(TEMPLATE, {"Release": release, "Commit": commit})
        for name, (prefix, *_) in {**checks.FUNCTIONS, **checks.JOBS}.items():
            said = checks.show(expanded["Resources"][f"{prefix}Function"]["Properties"]["Description"])
            self.assertIn(f"commit {commit}", said, name)
            self.assertIn(release, said, name)
            self.assertLess(len(said), 256, name)

    def test_code_alone_publishes_without_a_release_too(self):
        old, new = (set(expand.expand(TEMPLATE, code=code)["Resources"]) for code in ("1", "2"))
        self.assertEqual(len(new - old), len({**checks.FUNCTIONS, **checks.JOBS}))

    def test_a_mend_while_alarms_ring_goes_out_at_once(self):
        expanded = expand.expand(TEMPLATE, {"DeploymentType": "AllAtOnce"})
        group = expanded["Resources"]["AuthFunctionDeploymentGroup"]["Properties"]
        self.assertIn("AllAtOnce", json.dumps(group["DeploymentConfigName"]))
        self.assertEqual(group["AlarmConfiguration"]["Fn::If"][2], {})
        condition = TEMPLATE["Conditions"]["ShiftsGradually"]
        self.assertEqual(condition, {"Fn::Not": [{"Fn::Equals": [{"Ref": "DeploymentType"}, "AllAtOnce"]}]})


# ---- the smoke test ------------------------------------------------------------------------------------------------------
# What the code puts on every answer, as it says it, and the id.
EDGE = (expand.ROOT / "shared/src/edge/headers.rs").read_text().partition("const SECURITY_HEADERS")[2].partition("\n];")[0]
GOOD = {name.title(): "…" for name in [*re.findall(r'\(\s*"([a-z-]+)",', EDGE), "x-request-id"]}
STATUS = {"health": 200, "auth": 401, "accounts": 401, "categories": 401, "transactions": 401, "financial-health": 200}


class SmokeTest(unittest.TestCase):
    """The hook's own code, with clients that answer as Lambda and CodeDeploy would."""

    def run_it(self, answers):
        asked, told = [], []

        class Client:
            def invoke(self, FunctionName, Payload):
                function = FunctionName.removeprefix("version of ")
                asked.append((function, json.loads(Payload)))
                answer = answers.get(function, {"statusCode": STATUS[function], "headers": GOOD})
                if isinstance(answer, list):
                    answer = answer.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                if answer == "crash":
                    return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorType": "Runtime.ExitError"}')}
                return {"Payload": io.BytesIO(json.dumps(answer).encode())}

            def put_lifecycle_event_hook_execution_status(self, **report):
                told.append(report)

        modules = {name: types.ModuleType(name) for name in ("boto3", "botocore", "botocore.config")}
        modules["boto3"].client = lambda name, config=None: Client()
        modules["botocore.config"].Config = lambda **settings: settings
        code = TEMPLATE["Resources"]["SmokeTest"]["Properties"]["Code"]["ZipFile"]
        before = {name: sys.modules.get(name) for name in modules}
        environment = dict(os.environ)
        sys.modules.update(modules)
        for name in checks.FUNCTIONS:
            os.environ["VERSION_" + name.upper().replace("-", "_")] = f"version of {name}"
        stdout, sys.stdout = sys.stdout, io.StringIO()
        try:
            scope = {"__name__": "index"}
            exec(compile(code, "index.py", "exec"), scope)
            scope["PAUSES"] = [0] * len(scope["PAUSES"])
            scope["handler"]({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}, None)
        finally:
            sys.stdout = stdout
            os.environ.clear()
            os.environ.update(environment)
            for name, module in before.items():
                sys.modules.pop(name)
                if module is not None:
                    sys.modules[name] = module
        (report,) = told
        self.assertEqual((report["deploymentId"], report["lifecycleEventHookExecutionId"]), ("d-1", "e-1"))
        return report["status"], asked

    def test_good_versions_succeed_and_each_is_asked_once(self):
        status, asked = self.run_it({})
        self.assertEqual(status, "Succeeded")
        self.assertEqual(sorted(name for name, _ in asked), sorted(checks.FUNCTIONS))

    def test_a_version_that_is_not_ready_is_asked_again(self):
        good = {"statusCode": 200, "headers": GOOD}
        self.assertEqual(self.run_it({"health": [RuntimeError("Pending"), {"statusCode": 503}, good]})[0], "Succeeded")
        self.assertEqual(self.run_it({"health": [RuntimeError("Pending"), "crash", {"statusCode": 503}]})[0], "Failed")

    def test_a_bad_version_of_any_function_fails(self):
        unlike = {
            "a crash": "crash",
            "an error of ours": {"statusCode": 500, "headers": GOOD},
            "an answer without a token": {"statusCode": 204, "headers": GOOD},
            "no answer": {"errorType": "Runtime.ExitError"},
            "no permission": RuntimeError("AccessDenied"),
        }
        for name in checks.FUNCTIONS:
            for what, answer in unlike.items():
                with self.subTest(f"{name}: {what}"):
                    self.assertEqual(self.run_it({name: answer})[0], "Failed")

    def test_a_version_that_lost_any_header_fails(self):
        self.assertGreater(len(GOOD), 14)
        for lost in GOOD:
            with self.subTest(lost):
                headers = {name: value for name, value in GOOD.items() if name != lost}
                self.assertEqual(self.run_it({"auth": {"statusCode": STATUS["auth"], "headers": headers}})[0], "Failed")

    def test_it_sends_what_the_gateway_sends(self):
        golden = json.loads((expand.ROOT / "events/health.get.json").read_text())

        def shape(event):
            context = event["requestContext"]
            return (set(event), set(context), set(context["http"]))

        routed = EXPANDED["Resources"]["Api"]["Properties"]["Body"]["paths"]
        _, asked = self.run_it({})
        for name, event in asked:
            self.assertEqual(shape(event), shape(golden))
            route = event["routeKey"].removeprefix("ANY ")
            self.assertIn(route, routed)
            self.assertTrue(event["rawPath"].startswith(f"/api/v1/{name}"))
            self.assertEqual(event["requestContext"]["http"]["path"], event["rawPath"])
        addresses = {event["requestContext"]["http"]["sourceIp"].rsplit(":", 2)[0] for _, event in asked}
        self.assertEqual(len(addresses), len(checks.FUNCTIONS), "each with limits of its own")

    def test_the_routes_that_it_asks_are_described_so(self):
        operations = json.loads((expand.ROOT / "docs/openapi.json").read_text())["paths"]
        _, asked = self.run_it({})
        for name, event in asked:
            path = event["rawPath"]
            operation = operations.get(path) or operations[path.removeprefix("/api/v1")]
            self.assertIn(str(STATUS[name]), operation["get"]["responses"], path)


# ---- settings ------------------------------------------------------------------------------------------------------------
class Settings(unittest.TestCase):
    def test_every_environment_gives_parameters_that_exist_and_values_that_they_allow(self):
        import tomllib

        config = tomllib.loads((expand.ROOT / "samconfig.toml").read_text())
        for environment in ("dev", "staging", "prod"):
            deploy = config[environment]["deploy"]["parameters"]
            given = dict(override.split("=", 1) for override in deploy["parameter_overrides"])
            known = TEMPLATE["Parameters"]
            self.assertEqual(given["Environment"], environment)
            self.assertEqual(deploy["capabilities"], "CAPABILITY_IAM", "roles have no names of their own")
            self.assertEqual(deploy["confirm_changeset"], environment == "prod")
            self.assertNotIn("region", deploy, "AWS_REGION says it to every command alike")
            self.assertEqual(given["DeploymentType"] == "AllAtOnce", environment == "dev")
            for name, value in given.items():
                definition = known[name]
                allowed = [str(each) for each in definition.get("AllowedValues", [])]
                self.assertTrue(not allowed or value in allowed, f"{environment}: {name}={value}")
                self.assertRegex(value, definition.get("AllowedPattern", "^"))
            # As ARCHITECTURE's budget of connections: an Atlas M10 without a fifth for people and migrations.
            values = {name: given.get(name, definition.get("Default")) for name, definition in known.items()}
            self.assertLess(checks.load_on_mongodb(values)[1], 1200, environment)
            # After a restore the log says who is to be erased again; a version of a backup outlives it by a week.
            self.assertLessEqual(int(values["BackupRetentionDays"]) + 7, int(values["LogRetentionDays"]), environment)
            needed = {name for name, definition in known.items() if "Default" not in definition}
            self.assertEqual(needed - set(given), set())

    def test_parameters_are_all_used_and_all_shown(self):
        text = json.dumps({key: value for key, value in TEMPLATE.items() if key not in ("Parameters", "Metadata")})
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        shown = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(shown), sorted(TEMPLATE["Parameters"]))
        for name in TEMPLATE["Parameters"]:
            self.assertTrue(f'"{name}"' in text or f"${{{name}}}" in text, f"{name} is a parameter of nothing")

    def test_conditions_are_all_used(self):
        text = json.dumps(TEMPLATE)
        for name in TEMPLATE["Conditions"]:
            self.assertTrue(re.search(rf'"(Fn::If": \[|Condition": ){re.escape(json.dumps(name))}', text), name)


if __name__ == "__main__":
    unittest.main()
