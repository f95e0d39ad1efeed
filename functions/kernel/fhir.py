"""FHIR R4 as answers: what every package that gives resources out shares."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from kernel.api import Request

Resource = dict[str, Any]


def searchset(
    request: Request, base: str, resources: Sequence[Resource], next_cursor: str | None
) -> Resource:
    """A list as a Bundle; `base` is the absolute URL under which the resources have their ids.

    There is no `total`: a page does not know it (FHIR R4 §3.1.1.4.1 lets it out).
    """
    links = [{"relation": "self", "url": _url(request, None)}]
    if next_cursor is not None:
        links.append({"relation": "next", "url": _url(request, next_cursor)})
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if resources:  # FHIR JSON knows no empty arrays
        bundle["entry"] = [
            {
                "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
                "resource": resource,
                "search": {"mode": "match"},
            }
            for resource in resources
        ]
    return bundle


def _url(request: Request, cursor: str | None) -> str:
    path = request.route
    for name, value in request.path.items():
        path = path.replace(f"{{{name}}}", value)
    given = request.query.model_dump(mode="json", by_alias=True, exclude_unset=True)
    given = {name: value for name, value in given.items() if value is not None}
    if cursor is not None:
        given["cursor"] = cursor
    return f"{path}?{urlencode(given)}" if given else path
