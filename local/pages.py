"""The portal's pages as the distribution serves them: the headers are those of the template."""

import re
from functools import cache

import yaml

from local.build import TEMPLATE, Loader

# The names that S3 has there; here one platform answers for all of them.
BUCKETS = re.compile(r"https://\$\{RecordsBucket\.\w+\}")


@cache
def headers(platform: str) -> dict[str, str]:
    """What stands in front of every page; `platform` is where uploads go on this machine."""
    resources = yaml.load(TEMPLATE.read_text("utf-8"), Loader=Loader)["Resources"]
    policy = resources["PortalHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    security = policy["SecurityHeadersConfig"]
    said = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"]
    return {
        "Content-Security-Policy": BUCKETS.sub(platform, said),
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        **{each["Header"]: each["Value"] for each in policy["CustomHeadersConfig"]["Items"]},
    }
