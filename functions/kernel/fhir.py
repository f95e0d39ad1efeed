"""FHIR R4 as answers: what every package that gives resources out shares."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from kernel.api import Request

Resource = dict[str, Any]


def searchset(
    request: Request,
    base: str,
    resources: Sequence[Resource],
    next_cursor: str | None,
    included: Sequence[Resource] = (),
) -> Resource:
    """A list as a Bundle; `base` is the absolute URL under which the resources have their ids.

    `included`: what the resources of the list refer to, given with them, and an OperationOutcome
    where there is something to say about the list.

    There is no `total`: a page does not know it (FHIR R4 §3.1.1.4.1 lets it out).
    """
    links = [{"relation": "self", "url": address(request, None)}]
    if next_cursor is not None:
        links.append({"relation": "next", "url": address(request, next_cursor)})
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if resources or included:  # FHIR JSON knows no empty arrays
        bundle["entry"] = [
            {
                "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
                "resource": resource,
                "search": {
                    "mode": "outcome" if resource["resourceType"] == "OperationOutcome" else mode
                },
            }
            for mode, some in (("match", resources), ("include", included))
            for resource in some
        ]
    return bundle


def address(request: Request, cursor: str | None) -> str:
    """The URL of this request, or of the page at `cursor` of the same list."""
    path = request.route
    for name, value in request.path.items():
        path = path.replace(f"{{{name}}}", value)
    given = {} if request.query is None else request.query.values()
    if cursor is not None:
        given["cursor"] = cursor
    return f"{path}?{urlencode(given)}" if given else path
