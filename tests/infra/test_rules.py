"""The project's own rules hold for the template, and each finds what is planted for it."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from local.build import ROOT
from tests import privileges
from tests.infra import rules

Json = dict[str, Any]


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule: rules.Rule) -> None:
    assert list(rule(privileges.expanded())) == []


def _put(*path: Any, value: Any = None) -> Callable[[Json], None]:
    """Sets what stands at a path of Resources, or takes it away."""

    def change(template: Json) -> None:
        place = template["Resources"]
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


def _unsay_parameters(template: Json) -> None:
    for name, version in rules.properties(template, "AWS::Lambda::Version"):
        if name.startswith("AuthFunction"):
            version["Description"] = "none"


def _open(template: Json) -> None:
    paths = template["Resources"]["Api"]["Properties"]["Body"]["paths"]
    paths["/v1/cards"]["get"]["security"] = [{"NONE": []}]


def _without_rollback(template: Json) -> None:
    del template["Resources"]["RecordsFunctionAliaslive"]["UpdatePolicy"]


def _many_routes(template: Json) -> None:
    one = template["Resources"]["ClinicFunctionGetClinicCasesPermissionStage"]
    template["Resources"] |= {f"More{n}": one for n in range(60)}


def _role(statement: Json) -> Callable[[Json], None]:
    policies = [{"PolicyDocument": {"Statement": [statement]}}]
    return _put("AuthFunctionRole", "Properties", "Policies", value=policies)


def _many_resources(template: Json) -> None:
    template["Resources"] |= {f"More{n}": {"Type": "AWS::Logs::LogStream"} for n in range(300)}


P = "Properties"
RATE = ("Statement", "RateBasedStatement")
PLANTED: dict[rules.Rule, list[Callable[[Json], None]]] = {
    rules.what_holds_data_outlives_the_stack: [
        _put("AccountsTable", "DeletionPolicy"),
        _put("MedicalKey", "UpdateReplacePolicy", value="Delete"),
        _put("JournalBucket", "DeletionPolicy"),
    ],
    rules.tables_can_be_restored_and_not_deleted: [
        _put("JournalTable", P, "PointInTimeRecoverySpecification"),
        _put("JournalTable", P, "DeletionProtectionEnabled", value=False),
        _put("JournalTable", P, "SSESpecification"),
    ],
    rules.wrapped_keys_cannot_come_back_after_the_laws_30_days: [
        _put("KeysTable", P, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays", value=35),
    ],
    rules.functions_have_a_log_a_role_and_an_alias_of_their_own: [
        _put("AuthFunction", P, "LoggingConfig"),
        _put("AuthFunction", P, "LoggingConfig", "LogGroup", value={"Ref": "RecordsLogs"}),
        _put("AuthFunction", P, "Role", value={"Fn::GetAtt": ["RecordsFunctionRole", "Arn"]}),
        _put("AuthFunction", P, "TracingConfig"),
        _put("AuthFunctionAliaslive"),
    ],
    rules.logs_end_and_are_encrypted: [
        _put("AuthLogs", P, "RetentionInDays"),
        _put("AuthLogs", P, "KmsKeyId"),
    ],
    rules.grants_name_actions_and_resources: [
        _role({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn"}),
        _role({"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}),
    ],
    rules.new_versions_come_gradually_and_go_back_on_alarm: [_without_rollback],
    rules.a_changed_parameter_reaches_the_functions: [
        _unsay_parameters,
        _put("MessengerFunction", P, "Description"),
    ],
    rules.alarms_tell_somebody_what_to_do: [
        _put("JournalLagAlarm", P, "AlarmActions"),
        _put("UnknownAlarm", value={"Type": "AWS::CloudWatch::Alarm", P: {}}),
    ],
    rules.metrics_that_are_counted_are_watched_or_shown: [
        _put("RefusedSignInsCount", P, "MetricTransformations", value=[{"MetricName": "Unheard"}]),
    ],
    rules.queues_end_in_dead_letters_with_an_alarm: [
        _put("ExtractsQueue", P, "RedrivePolicy"),
        _put("ExtractsQueue", P, "KmsMasterKeyId"),
        _put("JournalDeadLettersAlarm"),
    ],
    rules.buckets_are_closed: [
        _put("RecordsBucket", P, "PublicAccessBlockConfiguration", "BlockPublicAcls", value=False),
        _put("RecordsBucketPolicy"),
        _put("RecordsBucket", P, "VersioningConfiguration"),
        _put("ExtractsBucket", P, "VersioningConfiguration", value={"Status": "Enabled"}),
        _put("RecordsBucket", P, "LifecycleConfiguration"),
    ],
    rules.checkpoints_cannot_be_removed: [_put("JournalBucket", P, "ObjectLockConfiguration")],
    rules.keys_rotate_and_belong_to_the_account: [
        _put("MedicalKey", P, "EnableKeyRotation"),
        _put("MedicalKey", P, "KeyPolicy", "Statement", value=[{"Principal": {"AWS": "*"}}]),
    ],
    rules.routes_are_closed_or_known_to_be_open: [_open],
    rules.throttles_are_of_routes_that_are_there: [
        _put("ApiStage", P, "MethodSettings"),
        _put("ApiStage", P, "MethodSettings", 1, "ResourcePath", value="/~1v1~1gone"),
        _put("ApiStage", P, "MethodSettings", 1),
    ],
    rules.the_gateway_logs_nothing_personal: [
        _put("ApiStage", P, "AccessLogSetting", "Format", value="$context.path $context.status"),
        _put("ApiStage", P, "TracingEnabled", value=True),
        _put("ApiStage", P, "MethodSettings", 0, "DataTraceEnabled", value=True),
    ],
    rules.the_firewall_stands_in_front_and_forgets: [
        _put("FirewallInFront"),
        _put("Firewall", P, "Rules", 0, "VisibilityConfig", "SampledRequestsEnabled", value=True),
        _put("FirewallLogging", P, "RedactedFields"),
    ],
    rules.everybody_is_rated_by_their_own_address: [
        _put("Firewall", P, "Rules", 2, *RATE, "ScopeDownStatement"),
        _put("Firewall", P, "Rules", 3, *RATE, "ScopeDownStatement"),
        _put("Firewall", P, "Rules", 3, *RATE, "AggregateKeyType", value="IP"),
        _put(
            "Firewall", P, "Rules", 3, *RATE, "ForwardedIPConfig", "HeaderName", value="x-real-ip"
        ),
        _put("Firewall", P, "Rules", 1, *RATE, "Limit", value=10),
        _put("Firewall", P, "Rules", 1),
    ],
    rules.the_distribution_keeps_no_errors: [
        _put("Distribution", P, "DistributionConfig", "CustomErrorResponses"),
    ],
    rules.permissions_fit_into_their_policies: [_many_routes],
    rules.the_stack_fits_into_cloudformations_limits: [_many_resources],
}


def test_every_rule_has_something_planted_for_it() -> None:
    assert set(PLANTED) == set(rules.RULES)


@pytest.mark.parametrize(
    ("rule", "change"),
    [(rule, change) for rule, changes in PLANTED.items() for change in changes],
    ids=lambda each: each.__name__,
)
def test_the_rule_finds_what_is_planted(rule: rules.Rule, change: Callable[[Json], None]) -> None:
    template = copy.deepcopy(privileges.expanded())
    change(template)
    assert list(rule(template))


def test_every_rule_of_semgrep_has_something_planted_and_something_that_is_well() -> None:
    """`make lint` lets semgrep judge them; here, that none was forgotten."""
    checks = ROOT / "infra" / "checks"
    known = set(re.findall(r"- id: ([\w-]+)", (checks / "semgrep.yaml").read_text()))
    planted = (checks / "semgrep.py").read_text()
    assert known == set(re.findall(r"# ruleid: ([\w-]+)", planted))
    assert known == set(re.findall(r"# ok: ([\w-]+)", planted))
