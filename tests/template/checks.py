"""What must be true of the deployed template. Each check gives one line for each thing that is wrong with it.

Reads plain CloudFormation (`expand`), so that what the translator makes is judged too: permissions, aliases, stages.
Must never change what it reads, nor be silent about a form that it does not know.
"""

import functools
import json
import pathlib
import re

from expand import ROOT

HERE = pathlib.Path(__file__).resolve().parent

# name: logical prefix, timeout in seconds, memory in MB
FUNCTIONS = {
    "health": ("Health", 3, 256),
    "auth": ("Auth", 10, 1024),
    "accounts": ("Accounts", 10, 512),
    "categories": ("Categories", 10, 512),
    "transactions": ("Transactions", 15, 512),
    "financial-health": ("FinancialHealth", 10, 512),
}
# Those that a schedule invokes, the same.
JOBS = {"backup": ("Backup", 900, 1769)}
BASES = ("/api", "/api/v1")
# API Gateway gives up at 30 s, and that cannot be raised.
GATEWAY_MAX_MS = 30_000
SECRET_OF_NEED = {"Mongo": ["DbSecretArn"], "Redis": [], "Jwt": ["JwtSecret"], "Auth": ["RefreshSecret", "PepperSecret"], "Backup": []}
GENERATED = {"JwtSecret": "JWT_SECRET", "RefreshSecret": "JWT_REFRESH_SECRET", "PepperSecret": "PASSWORD_PEPPER"}
SECRET_VARIABLES = {"MONGODB_URI", "REDIS_URL", "JWT_SECRET", "JWT_KEYS", "JWT_REFRESH_SECRET", "PASSWORD_PEPPER", "DATA_KEYS"}
NO_VALUE = {"Ref": "AWS::NoValue"}
# The only statements that may name every resource: their actions know none, or none yet.
EVERYWHERE = {
    ("TracingPolicy", "SendTraces"),
    ("NetworkPolicy", "AttachToVpc"),
    ("NetworkPolicy", "NotFromCode"),
    ("DeploymentRole", "WatchAlarms"),
}
AWS_METRICS = {
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "ConcurrentExecutions", "Invocations"},
    "AWS/Logs": {"IncomingBytes"},
    "AWS/ApiGateway": {"Count", "4xx", "5xx", "Latency", "IntegrationLatency"},
}
OWN_NAMESPACE = "FinTrackPro/${AWS::StackName}"
# What no alarm watches, because one watches what Lambda and API Gateway say of the same; the dashboard shows it.
DASHBOARD_ONLY = {"Requests", "Duration", "ColdStart"}
# What is counted by the function's version too.
BY_VERSION = {"ServerError"}
# What watches a new version alone, and is CodeDeploy's.
NEW = ("NewErrors", "NewDuration", "NewServerErrors")


def show(value):
    """An intrinsic as one short text."""
    if isinstance(value, list):
        return ",".join(show(item) for item in value)
    if not isinstance(value, dict):
        return str(value)
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name == "Ref":
            return inner
        if name == "Fn::GetAtt":
            return ".".join(inner) if isinstance(inner, list) else inner
        if name == "Fn::Sub" and isinstance(inner, str):
            return inner
        if name == "Fn::If":
            condition, then, otherwise = inner
            return f"{show(then)} if {condition}" + ("" if otherwise == NO_VALUE else f" else {show(otherwise)}")
    return json.dumps(value, sort_keys=True)


def of_type(expanded, kind):
    return {name: it for name, it in expanded["Resources"].items() if it["Type"] == kind}


def properties(expanded, name):
    return expanded["Resources"].get(name, {}).get("Properties", {})


def expected(file, lines):
    """Compares with a file that is reviewed, one line each; `UPDATE=1` is for the test that writes it."""
    known = [line for line in (HERE / file).read_text().splitlines() if line and not line.startswith("#")]
    problems = [f"{file} has no line: {line}" for line in lines if line not in known]
    return problems + [f"the template has lost: {line}" for line in known if line not in lines]


def alias(expanded, prefix):
    """The logical id of a function's alias."""
    return f"{prefix}FunctionAliaslive"


# ---- routes --------------------------------------------------------------------------------------------------------------
def paths():
    """Every path that is routed, with the logical prefix of its function."""
    wanted = {
        f"{base}/{name}{rest}": prefix
        for name, (prefix, *_) in FUNCTIONS.items()
        for base in BASES
        for rest in ("", "/{proxy+}")
    }
    return {**wanted, "$default": "Health"}


def routes(expanded):
    problems = []
    body = properties(expanded, "Api").get("Body", {})
    wanted = paths()
    found = body.get("paths", {})
    problems += [f"{path} has no route" for path in wanted if path not in found]
    problems += [f"{path} is a route of nothing known" for path in found if path not in wanted]
    for path, prefix in wanted.items():
        for method, operation in found.get(path, {}).items():
            if method not in ("x-amazon-apigateway-any-method", "parameters"):
                problems.append(f"{path} is routed for {method} apart")
            integration = operation.get("x-amazon-apigateway-integration", {})
            if f"${{{alias(expanded, prefix)}}}" not in json.dumps(integration.get("uri")):
                problems.append(f"{path} does not reach the alias of {prefix}Function")
            timeout = integration.get("timeoutInMillis", 0)
            own = properties(expanded, f"{prefix}Function").get("Timeout", 0) * 1000
            if not own < timeout < GATEWAY_MAX_MS:
                problems.append(f"{path} waits {timeout} ms for a function that has {own} ms")
            if integration.get("payloadFormatVersion") != "2.0":
                problems.append(f"{path} sends events of another version")
            if operation.get("security"):
                problems.append(f"{path} has an authorizer; the functions verify tokens")
    if "x-amazon-apigateway-cors" in body or "CorsConfiguration" in properties(expanded, "Api"):
        problems.append("the API answers CORS by itself, and drops the functions' headers")
    (server,) = body.get("servers", [{}])
    disabled = server.get("x-amazon-apigateway-endpoint-configuration", {}).get("disableExecuteApiEndpoint")
    if disabled != {"Fn::If": ["HasDomain", True, False]}:
        problems.append("API Gateway's own name must be off with a domain, and only then")
    permitted = {show(it["Properties"]["FunctionName"]) for it in of_type(expanded, "AWS::Lambda::Permission").values()}
    for prefix, *_ in FUNCTIONS.values():
        if alias(expanded, prefix) not in permitted:
            problems.append(f"API Gateway may not invoke {prefix}Function")
        if f"{prefix}Function" in permitted:
            problems.append(f"something invokes {prefix}Function past its alias")
    return problems


def stage(expanded):
    problems = []
    stages = of_type(expanded, "AWS::ApiGatewayV2::Stage")
    if len(stages) != 1:
        return [f"there are {len(stages)} stages"]
    (it,) = (stage["Properties"] for stage in stages.values())
    if it.get("StageName") != "$default" or it.get("AutoDeploy") is not True:
        problems.append("the stage is not $default, deployed by itself")
    defaults = it.get("DefaultRouteSettings", {})
    for setting, parameter in (("ThrottlingRateLimit", "ThrottleRate"), ("ThrottlingBurstLimit", "ThrottleBurst")):
        if defaults.get(setting) != {"Ref": parameter}:
            problems.append(f"the stage's {setting} is not {parameter}")
    # What the gateway lets through at once is what Lambda has been reserved to take.
    rates = {"Health": "HealthThrottleRate", "Auth": "AuthThrottleRate"}
    of_routes = {path if path == "$default" else f"ANY {path}": prefix for path, prefix in paths().items()}
    found = it.get("RouteSettings", {})
    for key, prefix in of_routes.items():
        wanted = {
            "ThrottlingRateLimit": {"Ref": rates.get(prefix, "ThrottleRate")},
            "ThrottlingBurstLimit": {"Fn::If": [f"Reserves{prefix}", {"Ref": f"{prefix}Concurrency"}, {"Ref": "ThrottleBurst"}]},
        }
        if found.get(key) != wanted:
            problems.append(f"{key} lets through a burst that {prefix}Function could not take")
    problems += [f"{key} has settings and is no route" for key in found if key not in of_routes]
    logs = it.get("AccessLogSettings", {})
    if logs.get("DestinationArn") != {"Fn::GetAtt": ["ApiAccessLogGroup", "Arn"]}:
        problems.append("there are no access logs")
    fields = (
        "requestId identity.sourceIp routeKey status integrationLatency responseLatency integrationErrorMessage error.message"
    )
    try:
        written = json.loads(logs.get("Format", "{}").replace("\n", ""))
    except json.JSONDecodeError:
        written = {}
        problems.append("a line of the access log is not JSON")
    problems += [
        f"the access log has no {field}" for field in fields.split() if f"$context.{field}" not in written.values()
    ]
    return problems


# ---- functions -----------------------------------------------------------------------------------------------------------
def needs(name):
    """What a function needs, as its own code says."""
    source = (ROOT / f"functions/{name}/src/lib.rs").read_text()
    found = re.search(r"FUNCTION: Function =\s*Function \{[^}]*needs: &\[([^\]]*)\]", source)
    return re.findall(r"Need::(\w+)", found[1])


def functions(expanded):
    problems = []
    roles = []
    for name, (prefix, timeout, memory) in {**FUNCTIONS, **JOBS}.items():
        it = properties(expanded, f"{prefix}Function")
        if not it:
            problems.append(f"{name} is no function")
            continue
        secrets = [secret for need in needs(name) for secret in SECRET_OF_NEED[need]]
        wanted = {
            "FunctionName": {"Fn::Sub": f"${{AWS::StackName}}-{name}"},
            "Runtime": "provided.al2023",
            "Architectures": [{"Ref": "Arch"}],
            "Timeout": timeout,
            "MemorySize": memory,
            "TracingConfig": {"Mode": "Active"},
            "Role": {"Fn::GetAtt": [f"{prefix}Role", "Arn"]},
            "ReservedConcurrentExecutions": {
                "Fn::If": [f"Reserves{prefix}", {"Ref": f"{prefix}Concurrency"}, NO_VALUE],
            },
            "LoggingConfig": {
                "LogFormat": "JSON",
                "ApplicationLogLevel": {"Fn::FindInMap": ["LogLevels", {"Ref": "LogLevel"}, "Lambda"]},
                "SystemLogLevel": "INFO",
                "LogGroup": {"Ref": f"{prefix}LogGroup"},
            },
            "VpcConfig": {
                "Fn::If": [
                    "InVpc",
                    {
                        "SubnetIds": {"Ref": "SubnetIds"},
                        "SecurityGroupIds": [{"Fn::GetAtt": ["FunctionSecurityGroup", "GroupId"]}],
                    },
                    NO_VALUE,
                ],
            },
        }
        problems += [
            f"{name}'s {key} is {show(it.get(key))}" for key, value in wanted.items() if it.get(key) != value
        ]
        roles.append(show(it.get("Role")))
        variables = it.get("Environment", {}).get("Variables", {})
        read = variables.get("SECRETS_ID", {}).get("Fn::If", [None, None, None])
        listed = read[2].get("Fn::Join", [",", [read[2]]])[1] if isinstance(read[2], dict) else []
        if read[:2] != ["IsLocal", NO_VALUE] or [show(secret) for secret in listed] != secrets:
            problems.append(f"{name} is told of the secrets {[show(secret) for secret in listed]}, and needs {secrets}")
        for variable in SECRET_VARIABLES & set(variables):
            if variables[variable] != {"Fn::If": ["IsLocal", "", NO_VALUE]}:
                problems.append(f"{name} has {variable} in its environment")
        if "resolve:secretsmanager" in json.dumps(it) or "resolve:ssm" in json.dumps(it):
            problems.append(f"{name} has a secret's value in its definition")
        if variables.get("METRICS_NAMESPACE") != {"Fn::Sub": OWN_NAMESPACE}:
            problems.append(f"{name} counts in another namespace than the alarms watch")
    if len(set(roles)) != len(roles):
        problems.append("two functions share a role")
    code = {it["Properties"]["FunctionName"]["Fn::Sub"].rsplit("}-")[-1] for it in of_type(expanded, "AWS::Lambda::Function").values()}
    problems += [f"{name} is a function that is not known here" for name in code - {*FUNCTIONS, *JOBS, "smoke-test"}]
    return problems


def log_levels(expanded):
    """Lambda drops every line below its level, and a metric is a line at INFO: it may not be told of a higher one."""
    levels = expanded["Mappings"]["LogLevels"]
    allowed = expanded["Parameters"]["LogLevel"]["AllowedValues"]
    problems = [f"Lambda is told nothing of the level {level}" for level in allowed if level not in levels]
    return problems + [
        f"with LogLevel={level} Lambda keeps {it['Lambda']} only"
        for level, it in levels.items()
        if it["Lambda"] != (level if level in ("TRACE", "DEBUG") else "INFO")
    ]


def log_groups(expanded):
    problems = []
    for name, it in of_type(expanded, "AWS::Logs::LogGroup").items():
        if it["Properties"].get("RetentionInDays") not in ({"Ref": "LogRetentionDays"}, {"Ref": "AccessLogRetentionDays"}):
            problems.append(f"{name} is kept for ever")
        if it["Properties"].get("KmsKeyId") != {"Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, NO_VALUE]}:
            problems.append(f"{name} does not take the key")
    for name, it in of_type(expanded, "AWS::Lambda::Function").items():
        group = show(it["Properties"].get("LoggingConfig", {}).get("LogGroup"))
        if group not in expanded["Resources"]:
            problems.append(f"{name} writes to a log group that the template does not keep")
    return problems


def secrets(expanded):
    problems = []
    for name, key in GENERATED.items():
        it = expanded["Resources"].get(name)
        if it is None:
            problems.append(f"{name} is not made")
            continue
        generated = it["Properties"].get("GenerateSecretString", {})
        # To the letter: CloudFormation makes a new value of whatever changes here, and every password is wrong.
        wanted = {"SecretStringTemplate": "{}", "GenerateStringKey": key, "PasswordLength": 64, "ExcludePunctuation": True}
        if generated != wanted:
            problems.append(f"{name} is generated otherwise than before, which replaces the value in use")
        if "SecretString" in it["Properties"]:
            problems.append(f"{name}'s value is written in the template")
        if it.get("DeletionPolicy") != "RetainExceptOnCreate" or it.get("UpdateReplacePolicy") != "Retain":
            problems.append(f"{name} goes with the stack")
    return problems


# ---- permissions ---------------------------------------------------------------------------------------------------------
def statement(owner, it):
    """One statement as one line."""
    listed = it["Action"] if isinstance(it["Action"], list) else [it["Action"]]
    line = f"{owner}: {it['Effect'].lower()} {','.join(listed)}"
    if "Principal" in it:
        who = it["Principal"]
        line = f"{line} by {show(who.get('Service', who) if isinstance(who, dict) else who)}"
    if "Resource" in it:
        line = f"{line} on {show(it['Resource'])}"
    if "Condition" in it:
        pairs = [f"{key} {test} {show(value)}" for test, of in it["Condition"].items() for key, value in of.items()]
        line = f"{line} where {' '.join(pairs)}"
    return line


def documents(expanded):
    """Every policy document with its owner; what is there on a condition, with that."""
    for name, it in expanded["Resources"].items():
        inside = it.get("Properties", {})
        when = f" if {it['Condition']}" if "Condition" in it else ""
        if "AssumeRolePolicyDocument" in inside:
            yield name, when, inside["AssumeRolePolicyDocument"]
        for policy in inside.get("Policies", []) if it["Type"] == "AWS::IAM::Role" else []:
            yield name, when, policy["PolicyDocument"]
        for key in ("PolicyDocument", "ResourcePolicy"):
            if key in inside:
                yield name, when, inside[key]


def statements(expanded):
    for owner, when, document in documents(expanded):
        for it in document["Statement"]:
            if "Fn::If" in it:
                condition, then, otherwise = it["Fn::If"]
                yield owner, f"{when} if {condition}", then
                if otherwise != NO_VALUE:
                    yield owner, f"{when} if not {condition}", otherwise
            else:
                yield owner, when, it


def iam_lines(expanded):
    lines = [statement(owner, it) + when for owner, when, it in statements(expanded)]
    for name, it in of_type(expanded, "AWS::IAM::Role").items():
        attached = it["Properties"].get("ManagedPolicyArns", [])
        lines += [f"{name}: has {show(policy)}" for policy in attached]
    # Who may invoke what, which is Lambda's own kind of statement.
    for name, it in of_type(expanded, "AWS::Lambda::Permission").items():
        said = dict(it["Properties"])
        line = f"{name}: allow {said.pop('Action')} by {said.pop('Principal')} on {show(said.pop('FunctionName'))}"
        lines.append(line + "".join(f" where {key} {show(value)}" for key, value in sorted(said.items())))
    return sorted(lines)


def iam(expanded):
    problems = expected("iam.allowed", iam_lines(expanded))
    for owner, _, it in statements(expanded):
        listed = it["Action"] if isinstance(it["Action"], list) else [it["Action"]]
        # To deny everything is no right.
        unnamed = it["Effect"] == "Allow" and any("*" in action for action in listed)
        if unnamed or "NotAction" in it or "NotResource" in it:
            problems.append(f"{owner} has a statement of unnamed actions: {it.get('Sid')}")
        resources = it.get("Resource", [])
        resources = resources if isinstance(resources, list) else [resources]
        if "*" in resources and (owner, it.get("Sid")) not in EVERYWHERE:
            problems.append(f"{owner} may do {show(it['Action'])} everywhere")
    return problems


# ---- alarms --------------------------------------------------------------------------------------------------------------
def emitted():
    """The metrics that the code counts, each with the values of its first dimension, as the code says them."""
    source = (ROOT / "shared/src/metrics.rs").read_text()
    arms = re.compile(r'Self::(\w+) => "(\w+)",')
    before, after = source.split("pub fn dimension(self)")
    names, special = dict(arms.findall(before)), dict(arms.findall(after.split("pub fn unit")[0]))
    health = (ROOT / "functions/health/src/lib.rs").read_text()
    services = set(re.findall(r'\("(\w+)", (?:mongo|redis)\)', health))
    found = {}
    for variant in re.findall(r"^    (\w+),$", re.search(r"pub enum Metric \{(.*?)\n\}", source, re.S)[1], re.M):
        dimension, counted = special.get(variant, "Function"), counted_by(variant)
        found[names[variant]] = (dimension, services if counted and dimension == "Service" else counted)
    return found


@functools.cache
def counted_by(variant):
    """The functions whose code counts a metric: the one that it is in, or, where it is shared, all that answer requests."""
    calls = re.compile(rf"\b(?:count|count_in_version|told)\(\s*Metric::{variant}\b")
    found = set()
    for path in [*ROOT.glob("functions/*/src/**/*.rs"), *ROOT.glob("shared/src/**/*.rs")]:
        if calls.search(path.read_text().split("#[cfg(test)]")[0]):
            owner = path.relative_to(ROOT).parts
            found |= {owner[1]} if owner[0] == "functions" else set(FUNCTIONS)
    return found


def metrics(it):
    """The metrics that an alarm watches: namespace, name, dimensions, statistic, seconds."""
    if "MetricName" in it:
        statistic = it.get("Statistic") or it.get("ExtendedStatistic")
        yield show(it["Namespace"]), it["MetricName"], it["Dimensions"], statistic, it["Period"]
    for metric in it.get("Metrics", []):
        if "MetricStat" in metric:
            stat = metric["MetricStat"]
            inner = stat["Metric"]
            yield show(inner["Namespace"]), inner["MetricName"], inner["Dimensions"], stat["Stat"], stat["Period"]


def alarm_line(name, resource):
    it = resource["Properties"]
    if resource["Type"] == "AWS::CloudWatch::CompositeAlarm":
        return f"{name}: {show(it['AlarmRule'])} -> {tells(it)}"
    watched = " ".join(
        f"{namespace}:{metric}{{{' '.join(show(d['Name']) + '=' + show(d['Value']) for d in dimensions)}}}.{stat}/{period}s"
        for namespace, metric, dimensions, stat, period in metrics(it)
    )
    how = [show(metric["Expression"]) for metric in it.get("Metrics", []) if "Expression" in metric]
    sign = {
        "GreaterThanOrEqualToThreshold": ">=",
        "GreaterThanThreshold": ">",
        "LessThanThreshold": "<",
    }[it["ComparisonOperator"]]
    points = f"{it.get('DatapointsToAlarm', it['EvaluationPeriods'])} of {it['EvaluationPeriods']}"
    when = f" if {resource['Condition']}" if "Condition" in resource else ""
    formula = f" by {how[0]}" if how else ""
    return (
        f"{name}: {watched}{formula} {sign} {show(it['Threshold'])} in {points}, silence is {it['TreatMissingData']}"
        f" -> {tells(it)}{when}"
    )


def tells(it):
    """Whom an alarm tells, where it tells anybody, and whom of its end."""
    if it.get("ActionsEnabled", True) is not True:
        return "nobody, for its actions are off"
    end = f", and of its end {show(it['OKActions'])}" if "OKActions" in it else ""
    return show(it.get("AlarmActions", [])) + end


def all_alarms(expanded):
    yield from of_type(expanded, "AWS::CloudWatch::Alarm").items()
    yield from of_type(expanded, "AWS::CloudWatch::CompositeAlarm").items()


def alarm_lines(expanded):
    lines = (alarm_line(name, it) for name, it in all_alarms(expanded))
    return sorted(re.sub(r"(FunctionVersion)[0-9a-f]{10}", r"\1", line) for line in lines)


def alarms(expanded):
    problems = expected("alarms.expected", alarm_lines(expanded))
    own = emitted()
    watched = set()
    for name, it in of_type(expanded, "AWS::CloudWatch::Alarm").items():
        deploys = any(name == f"{prefix}{kind}Alarm" for prefix, *_ in FUNCTIONS.values() for kind in NEW)
        if it["Properties"].get("AlarmActions") != (None if deploys else [{"Ref": "AlarmTopic"}]):
            problems.append(f"{name} tells somebody else")
        for namespace, metric, dimensions, *_ in metrics(it["Properties"]):
            if namespace == OWN_NAMESPACE:
                watched.add(metric)
                of, values = own.get(metric, (None, ()))
                first, *more = dimensions
                if first["Name"] != of or first["Value"] not in values:
                    problems.append(f"{name} watches {metric} of {show(first['Value'])}, which nothing counts")
                # Whose version it is, `deployment` looks at.
                if more and (metric not in BY_VERSION or [dimension["Name"] for dimension in more] != ["Version"]):
                    problems.append(f"{name} watches {metric} by {len(dimensions)} dimensions")
            elif metric not in AWS_METRICS.get(namespace, ()):
                problems.append(f"{name} watches {namespace} {metric}, which is not known to exist")
            for dimension in dimensions:
                # An explicit name: in the template it is a reference, so that it cannot be misspelt.
                if namespace == "AWS/Lambda" and dimension["Name"] == "FunctionName" and "Ref" not in dimension["Value"]:
                    problems.append(f"{name} names a function by hand")
    problems += [f"no alarm watches {metric}" for metric in own if metric not in watched | DASHBOARD_ONLY]
    for name, (prefix, timeout, _) in FUNCTIONS.items():
        for kind in ("Duration", "NewDuration"):
            threshold = properties(expanded, f"{prefix}{kind}Alarm").get("Threshold")
            if threshold != timeout * 1000 * 80 // 100:
                problems.append(f"{name}'s {kind} alarm rings at {threshold} ms, not at 80 % of its timeout")
    impact = expanded["Resources"].get("CustomerImpactAlarm", {})
    for name in re.findall(r"\$\{(\w+)\}", show(impact.get("Properties", {}).get("AlarmRule", ""))):
        if name not in expanded["Resources"]:
            problems.append(f"CustomerImpactAlarm looks at {name}, which is not there")
    return problems


def dashboard(expanded):
    body = properties(expanded, "Dashboard").get("DashboardBody", {}).get("Fn::Sub", "{}")
    try:
        widgets = json.loads(body)["widgets"]
    except (json.JSONDecodeError, KeyError) as error:
        return [f"the dashboard is not JSON: {error}"]
    problems = []
    shown = set()
    for widget in widgets:
        for metric in widget["properties"].get("metrics", []):
            shown.add(tuple(part for part in metric if isinstance(part, str)))
        for arn in widget["properties"].get("alarms", []):
            if arn[2:-5] not in expanded["Resources"]:
                problems.append(f"the dashboard shows {arn}, which is not there")
    for name, it in of_type(expanded, "AWS::CloudWatch::Alarm").items():
        for namespace, metric, dimensions, *_ in metrics(it["Properties"]):
            if any(dimension["Name"] in ("ExecutedVersion", "Version") for dimension in dimensions):
                continue
            key = [namespace, metric]
            for dimension in dimensions:
                value = dimension["Value"]
                key += [dimension["Name"], value if isinstance(value, str) else f"${{{show(value)}}}"]
            if tuple(key) not in shown:
                problems.append(f"the dashboard does not show what {name} watches: {' '.join(key)}")
    for metric in sorted(DASHBOARD_ONLY):
        dimension, _ = emitted()[metric]
        for value in FUNCTIONS:
            if (OWN_NAMESPACE, metric, dimension, value) not in shown:
                problems.append(f"nothing shows {metric} of {value}")
    return problems


# ---- the runbook ---------------------------------------------------------------------------------------------------------
RUNBOOK = (ROOT / "docs/RUNBOOK.md").read_text()
ALARM_CELLS = ("name", "meaning", "first look", "deed")


def runbook_rows(text):
    """The rows of the table of alarms: the name of each as a pattern, and its cells."""
    chapter = text.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    for line in chapter.splitlines():
        name = re.match(r"\| `<stack>-([a-z<>-]+)` \|", line)
        if name:
            yield name[1], [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def flat(text):
    """A text without its line breaks."""
    return re.sub(r"\s+", " ", text)


def load_on_mongodb(values):
    """Of the parameters' values: the environments that are reserved, and the connections that they may have open."""
    environments = sum(int(value) for name, value in values.items() if name.endswith("Concurrency"))
    # Of each its pool, and the driver's monitor.
    return environments, environments * (int(values["MongoPoolSize"]) + 1)


def numbers(expanded):
    """What docs/RUNBOOK.md says of the template in numbers. An alarm costs $0.10 for each metric, a composite one $0.50."""
    watched = sum(len(list(metrics(it["Properties"]))) for it in of_type(expanded, "AWS::CloudWatch::Alarm").values())
    composites = len(of_type(expanded, "AWS::CloudWatch::CompositeAlarm"))
    alarms_in_all = len(list(all_alarms(expanded)))
    yield f"{alarms_in_all} alarms on {watched} metrics ${watched * 0.10 + composites * 0.50:.2f}"
    defaults = {name: it.get("Default") for name, it in expanded["Parameters"].items()}
    reserved, connections = load_on_mongodb(defaults)
    yield f"The stack reserves {reserved} environments, and AWS wants 100 left: {reserved + 100} or more"
    each = " | ".join(str(defaults[f"{prefix}Concurrency"]) for prefix, *_ in {**FUNCTIONS, **JOBS}.values())
    yield f"| {each} | {reserved} |"
    yield f"**{connections}** |"


def runbook(expanded, text=None):
    """Each alarm has its row in docs/RUNBOOK.md, each row an alarm, and what the runbook names is there."""
    text = RUNBOOK if text is None else text
    problems = []
    listed = list(runbook_rows(text))
    rows = dict(listed)
    patterns = {row: re.compile(row.replace("<function>", f"({'|'.join(FUNCTIONS)})")) for row in rows}
    used = set()
    for name, it in all_alarms(expanded):
        called = show(it["Properties"]["AlarmName"]).removeprefix("${AWS::StackName}-")
        found = [row for row, pattern in patterns.items() if pattern.fullmatch(called)]
        used.update(found)
        if len(found) != 1:
            problems.append(f"docs/RUNBOOK.md has {len(found)} rows of the alarm {called} ({name})")
    problems += [f"docs/RUNBOOK.md tells of the alarm {row}, and there is none" for row in rows if row not in used]
    if len(rows) < len(listed):
        problems.append("docs/RUNBOOK.md has two rows of one alarm")
    for row, cells in rows.items():
        if len(cells) != len(ALARM_CELLS) or not all(cells):
            problems.append(f"docs/RUNBOOK.md does not say of {row}: {', '.join(ALARM_CELLS)}")
    outputs = set(re.findall(r"\boutput ([A-Z]\w+)", text))
    problems += [f"docs/RUNBOOK.md asks for the output {name}" for name in sorted(outputs - set(expanded["Outputs"]))]
    # A property of a function is named as one of the template's names would be.
    known = {*expanded["Parameters"], *expanded["Resources"], *expanded["Outputs"], "MemorySize"}
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)(?:=[^`]*)?`", text))
    problems += [f"docs/RUNBOOK.md names {name}, and the template does not" for name in sorted(named - known)]
    problems += [f"docs/RUNBOOK.md does not say: {sentence}" for sentence in numbers(expanded) if sentence not in flat(text)]
    targets = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.M))
    called = set(re.findall(r"(?:`|^ *|&& |; |on_db |on_new |')make ([a-z-]+)", text, re.M))
    return problems + [f"docs/RUNBOOK.md calls make {name}" for name in sorted(called - targets)]


# ---- deployment ----------------------------------------------------------------------------------------------------------
def deployment(expanded):
    problems = []
    for name, (prefix, *_) in FUNCTIONS.items():
        it = expanded["Resources"].get(alias(expanded, prefix))
        group = properties(expanded, f"{prefix}FunctionDeploymentGroup")
        if it is None or not group:
            problems.append(f"{name} is deployed at once, without an alias")
            continue
        version = it["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        update = it.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        if it["Properties"]["Name"] != "live":
            problems.append(f"{name}'s alias is not live")
        if update.get("DeploymentGroupName") != {"Ref": f"{prefix}FunctionDeploymentGroup"}:
            problems.append(f"{name}'s alias moves by itself")
        if update.get("BeforeAllowTrafficHook") != {"Ref": "SmokeTest"}:
            problems.append(f"{name}'s new version gets requests before it is tested")
        variable = "VERSION_" + name.upper().replace("-", "_")
        tested = properties(expanded, "SmokeTest").get("Environment", {}).get("Variables", {})
        if tested.get(variable) != {"Ref": version}:
            problems.append(f"the smoke test does not ask {name}'s new version")
        looked_at = [
            {"Name": {"Ref": f"{prefix}NewErrorsAlarm"}},
            {"Name": {"Ref": f"{prefix}NewDurationAlarm"}},
            {"Name": {"Ref": f"{prefix}NewServerErrorsAlarm"}},
            {"Name": {"Fn::Sub": "${AWS::StackName}-api-server-errors"}},
        ]
        gradual = {"Fn::If": ["ShiftsGradually", {"Enabled": True, "Alarms": looked_at}, {}]}
        if group.get("AlarmConfiguration") != gradual:
            problems.append(f"{name}'s deployment does not look at its alarms")
        rollback = group.get("AutoRollbackConfiguration", {})
        if not rollback.get("Enabled") or "DEPLOYMENT_STOP_ON_ALARM" not in rollback.get("Events", []):
            problems.append(f"{name} is not rolled back")
        if "Canary10Percent5Minutes" not in json.dumps(group.get("DeploymentConfigName")):
            problems.append(f"{name} is not deployed as a canary by default")
        if group.get("ServiceRoleArn") != {"Fn::GetAtt": ["DeploymentRole", "Arn"]}:
            problems.append(f"{name} is deployed by another role")
        for kind in NEW:
            dimensions = properties(expanded, f"{prefix}{kind}Alarm").get("Dimensions", [])
            dimension = "Version" if kind == "NewServerErrors" else "ExecutedVersion"
            if {"Name": dimension, "Value": {"Fn::GetAtt": [version, "Version"]}} not in dimensions:
                problems.append(f"{name}'s {kind} alarm does not watch the new version")
    named = properties(expanded, "ApiServerErrorsAlarm").get("AlarmName")
    if named != {"Fn::Sub": "${AWS::StackName}-api-server-errors"}:
        problems.append("deployments look at an alarm of a name that none has")
    return problems


def schedule(expanded):
    problems = []
    rules = of_type(expanded, "AWS::Events::Rule")
    if len(rules) != 1:
        return [f"there are {len(rules)} schedules"]
    (it,) = (rule["Properties"] for rule in rules.values())
    targets = it.get("Targets", [])
    if it.get("ScheduleExpression") != "rate(1 minute)" or it.get("State") != "ENABLED":
        problems.append("health is not checked each minute")
    if [target["Arn"] for target in targets] != [{"Ref": "HealthFunctionAliaslive"}]:
        problems.append("the schedule invokes something else than health's alias")
    if any(target.get("RetryPolicy", {}).get("MaximumRetryAttempts") != 0 for target in targets):
        problems.append("the schedule repeats what failed")
    asynchronous = {
        show(config["Properties"]["FunctionName"]): config["Properties"].get("MaximumRetryAttempts")
        for config in of_type(expanded, "AWS::Lambda::EventInvokeConfig").values()
    }
    if asynchronous.pop("HealthFunction", None) != 0:
        problems.append("Lambda repeats checks that failed")
    if asynchronous != {"BackupFunction": 1}:
        problems.append("a backup that failed is not tried once more")
    return problems


def backup(expanded):
    """The schedule reaches the alias, and what it writes is sealed, kept for its time, and nobody's to see."""
    schedules = [it["Properties"] for it in of_type(expanded, "AWS::Scheduler::Schedule").values()]
    if len(schedules) != 1:
        return [f"there are {len(schedules)} schedules of backups"]
    (it,) = schedules
    target = it.get("Target", {})
    wanted = {
        "the schedule is not BackupSchedule, in UTC": (it.get("ScheduleExpression"), it.get("ScheduleExpressionTimezone"))
        == ({"Ref": "BackupSchedule"}, "UTC"),
        "the schedule of backups is off": it.get("State") == "ENABLED",
        "the schedule invokes something else than backup's alias": target.get("Arn") == {"Ref": alias(expanded, "Backup")},
        "the schedule invokes backup as somebody else": target.get("RoleArn") == {"Fn::GetAtt": ["BackupScheduleRole", "Arn"]},
        "the schedule repeats what Lambda repeats": target.get("RetryPolicy", {}).get("MaximumRetryAttempts") == 0,
    }
    moves = expanded["Resources"].get(alias(expanded, "Backup"), {})
    wanted["backup has no alias, or one that waits for requests"] = bool(moves) and "UpdatePolicy" not in moves
    variables = properties(expanded, "BackupFunction").get("Environment", {}).get("Variables", {})
    wanted["backup does not write to the bucket"] = variables.get("BACKUP_BUCKET") == {
        "Fn::If": ["IsLocal", "", {"Ref": "BackupBucket"}]
    }
    key = {"Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, NO_VALUE]}
    wanted["backup does not take the key"] = variables.get("BACKUP_KMS_KEY_ID") == key
    bucket, inside = expanded["Resources"].get("BackupBucket", {}), properties(expanded, "BackupBucket")
    kept = (bucket.get("DeletionPolicy"), bucket.get("UpdateReplacePolicy"))
    wanted["the backups go with the stack"] = kept == ("RetainExceptOnCreate", "Retain")
    wanted["a backup can be overwritten"] = inside.get("VersioningConfiguration") == {"Status": "Enabled"}
    wanted["another account can own a backup"] = inside.get("OwnershipControls") == {
        "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
    }
    blocks = inside.get("PublicAccessBlockConfiguration", {})
    wanted["a backup can be public"] = len(blocks) == 4 and all(value is True for value in blocks.values())
    sealed = inside.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [{}])[0]
    wanted["a backup is not sealed with the key"] = sealed.get("ServerSideEncryptionByDefault") == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": key,
    }
    rules = {rule["Id"]: rule for rule in inside.get("LifecycleConfiguration", {}).get("Rules", [])}
    retention = rules.get("retention", {})
    wanted["backups are kept for another time"] = (
        retention.get("ExpirationInDays") == {"Ref": "BackupRetentionDays"}
        and retention.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", 0) > 0
    )
    broken_off = rules.get("what-was-broken-off", {}).get("AbortIncompleteMultipartUpload", {})
    wanted["what was broken off is kept"] = broken_off.get("DaysAfterInitiation") == 1
    wanted["a rule of the bucket is off"] = all(rule.get("Status") == "Enabled" for rule in rules.values())
    denied = properties(expanded, "BackupBucketPolicy").get("PolicyDocument", {}).get("Statement", [])
    conditions = [it["Condition"] for it in denied if it["Effect"] == "Deny" and it["Action"] == "s3:*"]
    wanted["a backup can be read in the clear"] = conditions == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]
    return [problem for problem, held in wanted.items() if not held]


# ---- the whole -----------------------------------------------------------------------------------------------------------
def references(value, names):
    """The resources that a definition names, also in its `UpdatePolicy`."""
    if isinstance(value, list):
        for item in value:
            yield from references(item, names)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref" and inner in names:
                yield inner
            elif key == "Fn::GetAtt" and inner[0] in names:
                yield inner[0]
            elif key == "DependsOn":
                yield from [inner] if isinstance(inner, str) else inner
            elif key == "Fn::Sub":
                text = inner if isinstance(inner, str) else inner[0]
                yield from (name for name in re.findall(r"\$\{([A-Za-z0-9]+)(?:\.\w+)?\}", text) if name in names)
                if not isinstance(inner, str):
                    yield from references(inner[1], names)
            else:
                yield from references(inner, names)


def cycles(expanded):
    names = expanded["Resources"]
    after = {name: set(references(it, names)) for name, it in names.items()}
    while after:
        free = [name for name, others in after.items() if not others & set(after) - {name}]
        if not free:
            return [f"these wait for each other: {', '.join(sorted(after))}"]
        for name in free:
            del after[name]
    return []


def network(expanded):
    problems = []
    group = properties(expanded, "FunctionSecurityGroup")
    if group.get("SecurityGroupIngress"):
        problems.append("functions can be connected to")
    ports = [(show(rule["FromPort"]), show(rule["ToPort"])) for rule in group.get("SecurityGroupEgress", [])]
    if sorted(ports) != [("443", "443"), ("6379", "6380"), ("MongoFromPort", "MongoToPort")]:
        problems.append(f"functions may connect to the ports {ports}")
    if set(of_type(expanded, "AWS::EC2::SecurityGroupEgress")) != {"TracesEgress"}:
        problems.append("functions may connect to more than traces' receiver")
    if expanded["Resources"].get("TracesEgress", {}).get("Condition") != "TracesLeaveVpc":
        problems.append("functions may connect to a receiver of traces that is not there")
    for name in ("FunctionSecurityGroup", "NetworkPolicy"):
        if expanded["Resources"].get(name, {}).get("Condition") != "InVpc":
            problems.append(f"{name} is there without a VPC")
    for name in ("Domain", "DomainMapping"):
        if expanded["Resources"].get(name, {}).get("Condition") != "HasDomain":
            problems.append(f"{name} is there without a domain")
    return problems


ALL = (
    routes,
    stage,
    functions,
    log_levels,
    log_groups,
    secrets,
    iam,
    alarms,
    dashboard,
    runbook,
    deployment,
    schedule,
    backup,
    cycles,
    network,
)


def problems(expanded):
    return [line for check in ALL for line in check(expanded)]
