"""What the embedded platform cannot take of infra/template.yaml: here, all of it, and why.

The template itself knows nothing of this. What is left out is asserted on the template as SAM
expands it (tests/infra/rules.py), and is unproven by anything that runs on one machine.

The distribution and the portal's bucket are taken, but nobody is served through them:
local/front.py stands in their place, with the template's headers (local/pages.py) and without the
secret.
"""

import copy
from typing import Any

Json = dict[str, Any]

# Resources of types that it refuses: "Unrecognized resource types".
TYPES = {
    "AWS::WAFv2::WebACLAssociation": "it keeps an ACL, but puts it in front of nothing",
    "AWS::WAFv2::LoggingConfiguration": "there is nothing to log then",
}
# Alarms that reckon with several metrics: "Properties.Metrics (metric math) is not supported".
ALARMS = ("AWS::CloudWatch::Alarm", "Metrics")
# Properties of functions, wherever they stand.
FUNCTION_PROPERTIES = {
    "DeploymentPreference": "it has no CodeDeploy: a new version takes over at once",
    "SnapStart": "it has no snapshots: it would start all functions before the stack is ready",
}


def without(template: Json) -> Json:
    """The template that the platform takes: the same, less what stands above."""
    kept = copy.deepcopy(template)
    for name, resource in template["Resources"].items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in TYPES or (kind == ALARMS[0] and ALARMS[1] in properties):
            del kept["Resources"][name]
    functions = [
        resource["Properties"]
        for resource in kept["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    for properties in [kept.get("Globals", {}).get("Function", {}), *functions]:
        for name in FUNCTION_PROPERTIES:
            properties.pop(name, None)
    return kept
