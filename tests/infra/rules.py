"""This project's own rules for the template as CloudFormation sees it, after the SAM transform.

They say what cfn-lint, checkov and cfn-guard cannot know: what holds data here, which routes are
open, what a log may hold. A rule yields one sentence for each thing that breaks it.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Rule = Callable[[Json], Iterator[str]]

OPERATIONS = Path(__file__).parent.parent.parent / "docs" / "operations.md"

# What is lost with them cannot be made again.
HOLDS_DATA = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}
# Unversioned on purpose: an extract that is deleted must be gone.
UNVERSIONED = {"ExtractsBucket"}
# A second hand must write here what a first one opens in the template.
OPEN_ROUTES = {
    "GET /.well-known/jwks.json",
    "GET /.well-known/openid-configuration",
    "GET /v1/clinics",
    "GET /v1/consents/documents/current",
    "GET /v1/help",
    "GET /v1/regions",
    "GET /v1/services",
    "GET /v1/verify/{verification_code}",
    "POST /v1/auth/challenges/{challenge_id}/send",
    "POST /v1/auth/challenges/{challenge_id}/verify",
    "POST /v1/auth/login",
    "POST /v1/auth/oidc/{provider}/callback",
    "POST /v1/auth/oidc/{provider}/start",
    "POST /v1/auth/password/reset",
    "POST /v1/auth/password/reset/confirm",
    "POST /v1/auth/register",
    "POST /v1/auth/token",
    "POST /v1/verify",
}
# What a line of the gateway's log may tell: never a query, a value in a path, a header, a person.
ACCESS_LOG = {
    "authorizer.latency",
    "error.responseType",
    "httpMethod",
    "identity.sourceIp",
    "integration.latency",
    "integration.status",
    "requestId",
    "requestTimeEpoch",
    "resourcePath",
    "responseLatency",
    "responseLength",
    "status",
    "waf.status",
}
ALWAYS_CACHED = {404, 414, 500, 501, 502, 503, 504}
# An email's address changes no function; the API's own values are no function's either.
NO_FUNCTIONS_BUSINESS = {"AlarmEmail"}
RESOURCE_POLICY = 20_480  # bytes, of one function's alias
STATEMENT = 420  # bytes of one route's permission, with long names


def of(template: Json, *types: str) -> Iterator[tuple[str, Json]]:
    """Logical ids and resources of these types."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in types:
            yield name, resource


def properties(template: Json, kind: str) -> Iterator[tuple[str, Json]]:
    for name, resource in of(template, kind):
        yield name, resource.get("Properties", {})


def what_holds_data_outlives_the_stack(template: Json) -> Iterator[str]:
    for name, resource in of(template, *HOLDS_DATA):
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            if resource.get(policy) != "Retain":
                yield f"{name} has no {policy} that retains it"


def tables_can_be_restored_and_not_deleted(template: Json) -> Iterator[str]:
    for name, table in properties(template, "AWS::DynamoDB::Table"):
        recovery = table.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name} has no point-in-time recovery"
        if table.get("DeletionProtectionEnabled") is not True:
            yield f"{name} has no deletion protection"
        if table.get("SSESpecification", {}).get("SSEType") != "KMS":
            yield f"{name} is not encrypted by a key of ours"
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name} has a capacity that a flood can use up"


def wrapped_keys_cannot_come_back_after_the_laws_30_days(template: Json) -> Iterator[str]:
    table = template["Resources"]["KeysTable"]["Properties"]
    if table["PointInTimeRecoverySpecification"].get("RecoveryPeriodInDays", 35) > 7:
        yield "KeysTable can be restored for longer than docs/operations.md says"


def functions_have_a_log_a_role_and_an_alias_of_their_own(template: Json) -> Iterator[str]:
    roles, logs = set(), set()
    aliases = {a["FunctionName"]["Ref"] for _, a in properties(template, "AWS::Lambda::Alias")}
    groups = dict(of(template, "AWS::Logs::LogGroup"))
    for name, function in properties(template, "AWS::Lambda::Function"):
        role = function["Role"].get("Fn::GetAtt", [""])[0]
        log = function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        if log not in groups or log in logs:
            yield f"{name} has no log group of its own"
        if role not in template["Resources"] or role in roles:
            yield f"{name} has no role of its own"
        if name not in aliases:
            yield f"{name} has no alias"
        if function.get("TracingConfig", {}).get("Mode") != "Active":
            yield f"{name} is not traced"
        roles.add(role)
        logs.add(log)


def logs_end_and_are_encrypted(template: Json) -> Iterator[str]:
    for name, group in properties(template, "AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group:
            yield f"{name} is kept for ever"
        if group.get("KmsKeyId") != {"Fn::GetAtt": ["OperationsKey", "Arn"]}:
            yield f"{name} is not encrypted by the key of operations"


def grants_name_actions_and_resources(template: Json) -> Iterator[str]:
    for name, role in properties(template, "AWS::IAM::Role"):
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                for action in _listed(statement["Action"]):
                    if "*" in action:
                        yield f"{name} grants {action}"
                for place in _listed(statement.get("Resource", [])):
                    text = place if isinstance(place, str) else json.dumps(place)
                    if "*" in text.removesuffix('"}').removesuffix("/*"):
                        yield f"{name} grants {text}"


def new_versions_come_gradually_and_go_back_on_alarm(template: Json) -> Iterator[str]:
    groups = dict(properties(template, "AWS::CodeDeploy::DeploymentGroup"))
    alarms = {name for name, _ in of(template, "AWS::CloudWatch::Alarm")}
    for name, alias in of(template, "AWS::Lambda::Alias"):
        update = alias.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        group = groups.get(update.get("DeploymentGroupName", {}).get("Ref"), {})
        watched = {
            a["Name"].get("Ref") for a in group.get("AlarmConfiguration", {}).get("Alarms", [])
        }
        if not watched or not watched <= alarms:
            yield f"{name} changes without an alarm that takes it back"
        if "DEPLOYMENT_STOP_ON_ALARM" not in group.get("AutoRollbackConfiguration", {}).get(
            "Events", []
        ):
            yield f"{name} does not go back on alarm"


def a_changed_parameter_reaches_the_functions(template: Json) -> Iterator[str]:
    """SAM publishes a version when properties change, and a parameter's value is none of them."""
    said = {n: json.dumps(v) for n, v in properties(template, "AWS::Lambda::Version")}
    for name, function in properties(template, "AWS::Lambda::Function"):
        used = set(re.findall(r'"Ref": "(\w+)"', json.dumps(function))) & set(
            template["Parameters"]
        )
        if "OidcProviders" in used:
            used = used - {"OidcProviders"} | {"OidcProvidersRevision"}
        version = next(
            (t for n, t in said.items() if re.fullmatch(rf"{name}Version\w{{10}}", n)), ""
        )
        for parameter in sorted(used):
            if f"${{{parameter}}}" not in version:
                yield f"{name} goes on with the old {parameter}: it is not in VersionDescription"
        if json.dumps(function.get("Description")) not in version:
            yield f"{name} does not change with its version, which Lambda then refuses to publish"


def alarms_tell_somebody_what_to_do(template: Json) -> Iterator[str]:
    runbook = OPERATIONS.read_text("utf-8")
    for name, alarm in properties(template, "AWS::CloudWatch::Alarm"):
        if alarm.get("AlarmActions") != [{"Ref": "AlarmTopic"}]:
            yield f"{name} tells nobody"
        if "TreatMissingData" not in alarm or "AlarmDescription" not in alarm:
            yield f"{name} does not say what it means or what silence means"
        if f"`{name}`" not in runbook:
            yield f"{name} is not in docs/operations.md"


def metrics_that_are_counted_are_watched_or_shown(template: Json) -> Iterator[str]:
    shown = json.dumps(template["Resources"]["Dashboard"])
    watched = {a.get("MetricName") for _, a in properties(template, "AWS::CloudWatch::Alarm")}
    for name, counted in properties(template, "AWS::Logs::MetricFilter"):
        metric = counted["MetricTransformations"][0]["MetricName"]
        if metric not in watched and metric not in shown:
            yield f"{name} is counted for nobody"
        if counted["MetricTransformations"][0].get("Dimensions"):
            yield f"{name} puts a field of a line into a metric"


def queues_end_in_dead_letters_with_an_alarm(template: Json) -> Iterator[str]:
    queues = dict(properties(template, "AWS::SQS::Queue"))
    last = {
        q["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for q in queues.values()
        if "RedrivePolicy" in q
    }
    for _, source in properties(template, "AWS::Lambda::EventSourceMapping"):
        failed = source.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", {})
        last |= {failed["Fn::GetAtt"][0]} if failed else set()
    alarms = json.dumps([a for _, a in properties(template, "AWS::CloudWatch::Alarm")])
    for name, queue in queues.items():
        if "KmsMasterKeyId" not in queue:
            yield f"{name} is not encrypted by a key of ours"
        if name not in last and "RedrivePolicy" not in queue:
            yield f"{name} has no dead letters"
        if name in last and f'["{name}", "QueueName"]' not in alarms:
            yield f"{name} fills up unseen"


def buckets_are_closed(template: Json) -> Iterator[str]:
    policies = json.dumps([p for _, p in properties(template, "AWS::S3::BucketPolicy")])
    for name, bucket in properties(template, "AWS::S3::Bucket"):
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if len(block) != 4 or not all(value is True for value in block.values()):
            yield f"{name} may be public"
        if "BucketEncryption" not in bucket:
            yield f"{name} is not encrypted"
        if not re.search(rf'"Bucket": {{"Ref": "{name}"}}.*?aws:SecureTransport', policies):
            yield f"{name} is reached without TLS"
        versioned = bucket.get("VersioningConfiguration", {}).get("Status") == "Enabled"
        if versioned == (name in UNVERSIONED):
            yield f"{name} is {'versioned' if versioned else 'not versioned'}"
        if not bucket.get("LifecycleConfiguration", {}).get("Rules") and name != "JournalBucket":
            yield f"{name} keeps what nobody needs"


def checkpoints_cannot_be_removed(template: Json) -> Iterator[str]:
    bucket = template["Resources"]["JournalBucket"]["Properties"]
    retention = (
        bucket.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
    )
    if bucket.get("ObjectLockEnabled") is not True or not {"Mode", "Days"} <= retention.keys():
        yield "JournalBucket has no lock"
    if template["Parameters"]["JournalLockMode"]["Default"] != "COMPLIANCE":
        yield "JournalBucket's lock opens for somebody"


def keys_rotate_and_belong_to_the_account(template: Json) -> Iterator[str]:
    for name, key in properties(template, "AWS::KMS::Key"):
        symmetric = key.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
        if symmetric and key.get("EnableKeyRotation") is not True:
            yield f"{name} does not rotate"
        for statement in key["KeyPolicy"]["Statement"]:
            if statement["Principal"] == {"AWS": "*"} and "kms:CallerAccount" not in json.dumps(
                statement.get("Condition", {})
            ):
                yield f"{name} is open to other accounts"


def routes_are_closed_or_known_to_be_open(template: Json) -> Iterator[str]:
    for path, methods in template["Resources"]["Api"]["Properties"]["Body"]["paths"].items():
        for method, operation in methods.items():
            route = f"{method.upper()} {path}"
            if method == "options":
                continue
            closed = operation.get("security") == [{"AccessToken": []}]
            if closed == (route in OPEN_ROUTES):
                yield f"{route} is {'closed' if closed else 'open'}"


def throttles_are_of_routes_that_are_there(template: Json) -> Iterator[str]:
    paths = template["Resources"]["Api"]["Properties"]["Body"]["paths"]
    settings = template["Resources"]["ApiStage"]["Properties"].get("MethodSettings", [])
    if not any(s["ResourcePath"] == "/*" and s["HttpMethod"] == "*" for s in settings):
        yield "there is no throttle for all routes"
    throttled = set()
    for setting in settings:
        path = setting["ResourcePath"].removeprefix("/").replace("~1", "/")
        throttled.add(f"{setting['HttpMethod']} {path}")
        if setting["ResourcePath"] != "/*" and setting["HttpMethod"].lower() not in paths.get(
            path, {}
        ):
            yield f"{setting['HttpMethod']} {path} is throttled and not there"
        if not (setting["ThrottlingRateLimit"] and setting["ThrottlingBurstLimit"]):
            yield f"{setting['HttpMethod']} {path} has no limit"
    for route in OPEN_ROUTES:
        if route.startswith("POST") and route not in throttled:
            yield f"{route} is open and has no throttle of its own"


def the_gateway_logs_nothing_personal(template: Json) -> Iterator[str]:
    stage = template["Resources"]["ApiStage"]["Properties"]
    told = set(
        re.findall(r"\$context\.([\w.]+)", stage.get("AccessLogSetting", {}).get("Format", ""))
    )
    if not told:
        yield "there is no access log"
    yield from (f"the access log tells {field}" for field in sorted(told - ACCESS_LOG))
    if stage.get("TracingEnabled"):
        yield "the gateway's traces hold whole addresses, queries included"
    for setting in stage.get("MethodSettings", []):
        if setting.get("DataTraceEnabled") or setting.get("LoggingLevel", "OFF") != "OFF":
            yield f"{setting['ResourcePath']} writes execution logs"


def the_firewall_stands_in_front_and_forgets(template: Json) -> Iterator[str]:
    resources = template["Resources"]
    stages = [n for n, _ in of(template, "AWS::ApiGateway::Stage")]
    guarded = json.dumps([a for _, a in properties(template, "AWS::WAFv2::WebACLAssociation")])
    yield from (f"nothing stands in front of {s}" for s in stages if f'"Ref": "{s}"' not in guarded)
    rules = resources["Firewall"]["Properties"]["Rules"]
    if sum("RateBasedStatement" in rule["Statement"] for rule in rules) < 2:
        yield "Firewall has no rates"
    for each in [resources["Firewall"]["Properties"], *rules]:
        if each["VisibilityConfig"]["SampledRequestsEnabled"]:
            yield f"{each.get('Name', 'Firewall')} keeps whole requests"
    redacted = json.dumps(resources["FirewallLogging"]["Properties"].get("RedactedFields"))
    for part in ("UriPath", "QueryString", "authorization", "cookie", "x-distribution-secret"):
        if part not in redacted:
            yield f"FirewallLogging tells {part}"


def everybody_is_rated_by_their_own_address(template: Json) -> Iterator[str]:
    """Behind the distribution's addresses is everybody; its word is taken with the secret alone."""
    limits: dict[str, dict[bool, Json]] = defaultdict(dict)
    for rule in template["Resources"]["Firewall"]["Properties"]["Rules"]:
        rate = rule["Statement"].get("RateBasedStatement")
        if rate is None:
            continue
        scope = rate.get("ScopeDownStatement", {})
        parts = scope.get("AndStatement", {}).get("Statements", [scope])
        told = rate["AggregateKeyType"] == "FORWARDED_IP"
        proven = [p if told else p.get("NotStatement", {}).get("Statement", {}) for p in parts]
        if not any(_shows_the_secret(part) for part in proven):
            yield f"{rule['Name']} counts addresses that are not the callers'"
        header = rate.get("ForwardedIPConfig", {}).get("HeaderName")
        if told and header != "x-viewer-address":
            yield f"{rule['Name']} counts by {header}"
        limits[rule["Name"].removesuffix("OfViewers")][told] = rate["Limit"]
    for name, each in limits.items():
        if each.keys() != {True, False} or each[True] != each[False]:
            yield f"{name} is not the same for the gateway and the distribution"


def _shows_the_secret(statement: Json) -> bool:
    match = statement.get("ByteMatchStatement", {})
    header = match.get("FieldToMatch", {}).get("SingleHeader", {}).get("Name")
    return (
        header == "x-distribution-secret"
        and match["PositionalConstraint"] == "EXACTLY"
        and "${DistributionSecret}" in json.dumps(match["SearchString"])
    )


def the_distribution_keeps_no_errors(template: Json) -> Iterator[str]:
    """It would for ten seconds, for everybody, even where it caches nothing else.

    The codes are those that it keeps whatever `Cache-Control` says (its guide, "HTTP 4xx and 5xx
    status codes that CloudFront always caches").
    """
    config = template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    given = {
        each["ErrorCode"]
        for each in config.get("CustomErrorResponses", [])
        if each.get("ErrorCachingMinTTL") == 0
    }
    yield from (f"answers {code} stay" for code in sorted(ALWAYS_CACHED - given))


def permissions_fit_into_their_policies(template: Json) -> Iterator[str]:
    """A function's resource policy holds 20 KB; an import of the API fails beyond it."""
    routes: dict[str, int] = defaultdict(int)
    for _, permission in properties(template, "AWS::Lambda::Permission"):
        routes[json.dumps(permission["FunctionName"])] += 1
    for function, count in routes.items():
        if count * STATEMENT > RESOURCE_POLICY:
            yield f"{function} has {count} permissions"


def the_stack_fits_into_cloudformations_limits(template: Json) -> Iterator[str]:
    size = len(json.dumps(template, ensure_ascii=False).encode())
    if len(template["Resources"]) > 450:
        yield f"{len(template['Resources'])} resources of 500"
    if size > 900_000:
        yield f"{size} bytes of 1,000,000"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


RULES: tuple[Rule, ...] = (
    what_holds_data_outlives_the_stack,
    tables_can_be_restored_and_not_deleted,
    wrapped_keys_cannot_come_back_after_the_laws_30_days,
    functions_have_a_log_a_role_and_an_alias_of_their_own,
    logs_end_and_are_encrypted,
    grants_name_actions_and_resources,
    new_versions_come_gradually_and_go_back_on_alarm,
    a_changed_parameter_reaches_the_functions,
    alarms_tell_somebody_what_to_do,
    metrics_that_are_counted_are_watched_or_shown,
    queues_end_in_dead_letters_with_an_alarm,
    buckets_are_closed,
    checkpoints_cannot_be_removed,
    keys_rotate_and_belong_to_the_account,
    routes_are_closed_or_known_to_be_open,
    throttles_are_of_routes_that_are_there,
    the_gateway_logs_nothing_personal,
    the_firewall_stands_in_front_and_forgets,
    everybody_is_rated_by_their_own_address,
    the_distribution_keeps_no_errors,
    permissions_fit_into_their_policies,
    the_stack_fits_into_cloudformations_limits,
)
