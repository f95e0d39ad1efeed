"""The OpenAPI 3.1 document, generated from the routes that the handlers register.

python -m local.openapi            writes docs/openapi.json
python -m local.openapi --check    fails if it is not current
"""

import importlib
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tests import template

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "openapi.json"
Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_STATUS_NAMES = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No content",
    304: "Not modified",
}
_PARAMETERS: Json = {
    "Accept-Language": {
        "name": "Accept-Language",
        "in": "header",
        "description": "Language of every text that a person reads: `ru` (default) or `en`.",
        "schema": {"type": "string", "default": "ru"},
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body within 24 hours give the same answer.",
        "schema": {"type": "string", "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "An `ETag` that still holds gets 304 without a body.",
        "schema": {"type": "string"},
    },
    "X-Purpose": {
        "name": "X-Purpose",
        "in": "header",
        "description": "Why a clinician reads, for the journal.",
        "schema": {
            "type": "string",
            "enum": ["treatment", "laboratory", "administration"],
            "default": "treatment",
        },
    },
}
_BEFORE = (
    "What stands before the operations answers by itself, with the same problem documents, which no"
    " operation lists: 400 `malformed` to what is no HTTP, 403 `forbidden` to what looks like an"
    " attack, 404 `not_found` to an unknown path, 405 `method_not_allowed`, 413 `body_too_large`"
    " above what the gateway takes, whatever the operation."
)
_FHIR: Json = {
    "type": "object",
    "description": "FHIR R4 (4.0.1): the same as a resource; a list as a `searchset` Bundle",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string"}},
}
_RESOURCE: Json = {
    "type": "object",
    "description": "FHIR R4 (4.0.1): a Bundle or a single resource",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string", "pattern": "^[A-Z][A-Za-z]*$"}},
}
_PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "retry_after": {"type": "integer", "description": "seconds"},
        "support": {
            "type": "object",
            "properties": {
                "phone": {"type": ["string", "null"]},
                "url": {"type": ["string", "null"]},
            },
        },
    },
}


def apps() -> list[Any]:
    """The apps of every function that the template routes to; their settings must be there."""
    handlers = dict.fromkeys(
        function["Handler"]
        for function in template.resources("AWS::Serverless::Function").values()
        if any(event["Type"] == "Api" for event in function.get("Events", {}).values())
    )
    found = []
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        found.append(getattr(importlib.import_module(module), name))
    return found


def document() -> Json:
    """The whole document."""
    routes = [(app, route) for app in apps() for route in app.routes.values()]
    models = _Models(route for _, route in routes)
    paths: dict[str, Json] = {}
    for app, route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(app, route, models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Medkarta",
            "version": "1",
            "summary": "A citizen's own electronic medical card.",
            "description": _BEFORE,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"access_token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "access_token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "parameters": _PARAMETERS,
            "schemas": dict(sorted({**models.schemas, "Problem": _PROBLEM}.items())),
        },
    }


class _Models:
    """The schemas of all bodies and answers, named once each."""

    def __init__(self, routes: Iterable[Any]) -> None:
        wanted: dict[tuple[type[BaseModel], Any], None] = {}
        for route in routes:
            if route.body is not None:
                wanted[route.model(), "validation"] = None
            for name in (route.answer, *route.also.values()):
                if name is not None:
                    wanted[answer_model(route, name), "serialization"] = None
        self._references, definitions = models_json_schema(list(wanted), ref_template=_REF)
        self.schemas: Json = definitions.get("$defs", {})

    def of(self, model: type[BaseModel], mode: Any) -> Json:
        return self._references[model, mode]


def answer_model(route: Any, name: str) -> type[BaseModel]:
    """A model that a route names, from the `answers` module of its package."""
    package = route.function.__module__.partition(".")[0]
    model: type[BaseModel] = getattr(importlib.import_module(f"{package}.answers"), name)
    return model


def _operation(app: Any, route: Any, models: _Models) -> Json:
    from kernel.api import FHIR_JSON, JSON, Public, required

    public = isinstance(route.access, Public)
    summary = " ".join((route.function.__doc__ or "").split("\n\n")[0].split())
    operation: Json = {
        "operationId": _operation_id(route),
        "tags": [app.name],
        "summary": summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
    }
    if public:
        operation["security"] = []
    headers = ["Accept-Language"]
    headers += ["Idempotency-Key"] if route.idempotent else []
    headers += ["If-None-Match"] if route.etag else []
    headers += ["X-Purpose"] if _asks_purpose(route) else []
    operation["parameters"] += [{"$ref": f"#/components/parameters/{name}"} for name in headers]
    headers_of_its_own = [
        {"$ref": f"#/components/parameters/{name}"}
        if name in _PARAMETERS
        else {"name": name, "in": "header", "schema": {"type": "string"}}
        for name in route.extra_headers
    ]
    operation["parameters"] += headers_of_its_own
    if (model := route.model()) is not None:
        content = {m: {"schema": models.of(model, "validation")} for m in route.media}
        operation["requestBody"] = {"required": required(model), "content": content}
    elif route.media != (JSON,):
        schema = _RESOURCE if FHIR_JSON in route.media else {"type": "object"}
        content = {media: {"schema": schema} for media in route.media}
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = _responses(route, models)
    return operation


def _responses(route: Any, models: _Models) -> Json:
    from kernel.api import CODE_STATUSES

    responses: Json = {}
    for status, name in {route.status: route.answer, **route.also}.items():
        good: Json = {"description": _STATUS_NAMES[status]}
        if name is not None:
            schema = models.of(answer_model(route, name), "serialization")
            good["content"] = {"application/json": {"schema": schema}}
            if route.fhir and status == route.status:
                good["content"]["application/fhir+json"] = {"schema": _FHIR}
        responses[str(status)] = good
    if route.location:
        where = {"schema": {"type": "string"}, "description": route.location}
        responses[str(route.status)]["headers"] = {"Location": where}
    if route.etag:
        responses[str(route.status)]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        responses["304"] = {"description": _STATUS_NAMES[304]}
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys([*_implied(route), *route.errors]):
        by_status.setdefault(CODE_STATUSES[code], []).append(code)
    for status, codes in sorted(by_status.items()):
        schema = {
            "allOf": [
                {"$ref": _REF.format(model="Problem")},
                {"properties": {"code": {"enum": sorted(codes)}}},
            ]
        }
        listed = ", ".join(f"`{code}`" for code in sorted(codes))
        responses[str(status)] = {
            "description": listed,
            "content": {"application/problem+json": {"schema": schema}},
        }
    return responses


def _implied(route: Any) -> list[str]:
    """The codes that a route's access, body and query bring with them."""
    from kernel.access import CODES
    from kernel.api import CardRead, CardWrite, Public, SignedIn, Staff

    access = route.access
    # A query parameter that the route does not have is refused, also where it has none.
    codes = ["not_acceptable", "unavailable", "rate_limited", "validation_failed"]
    if not isinstance(access, Public):
        codes += ["unauthenticated", "token_expired", "session_revoked"]
    if isinstance(access, Staff):
        codes.append("forbidden")
    if isinstance(access, SignedIn):
        codes += ["account_not_verified"] if access.verified else []
        codes += ["step_up_required"] if access.fresh else []
    if isinstance(access, CardRead | CardWrite):
        if access.action.open_while_closed:
            codes += ["account_not_verified", "not_found"]
        else:
            codes += [*CODES.values(), "consent_outdated"]
            codes.append("not_found" if access.action.own else "forbidden")
    if "{" in route.path and not isinstance(access, CardRead | CardWrite):
        codes.append("not_found")
    if route.path.count("{") > 1:
        codes.append("not_found")
    if route.method in ("POST", "PUT"):  # also where no body is asked for: what comes is read
        codes += ["malformed", "body_too_large", "unsupported_media_type"]
    if route.idempotent:
        codes += ["idempotency_mismatch", "conflict"]
    return codes


def _asks_purpose(route: Any) -> bool:
    from kernel.api import CardRead, CardWrite

    return isinstance(route.access, CardRead | CardWrite) and not route.access.action.own


def _path_parameters(route: Any) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Any) -> list[Json]:
    from kernel.query import REQUIRED

    if route.query is None:
        return []
    return [
        {
            "name": name,
            "in": "query",
            "required": each.default is REQUIRED,
            "schema": _parameter_schema(each),
        }
        for name, each in route.query.parameters.items()
    ]


def _parameter_schema(parameter: Any) -> Json:
    from kernel.query import REQUIRED, Day, OneOf, Text, Whole

    form: Json
    match parameter.form:
        case Text(least=least, most=most, pattern=pattern):
            form = {"maxLength": most, "minLength": least, "pattern": pattern, "type": "string"}
        case Whole(least=least, most=most):
            form = {"maximum": most, "minimum": least, "type": "integer"}
        case OneOf(words=words):
            form = {"enum": list(words), "type": "string"}
        case Day():
            form = {"format": "date", "type": "string"}
    form = {key: value for key, value in form.items() if value is not None}
    if parameter.default is REQUIRED:
        return form
    if parameter.default is None:
        return {"anyOf": [form, {"type": "null"}], "default": None}
    return {"default": parameter.default, **form}


def _operation_id(route: Any) -> str:
    path = re.sub(r"\{(\w+)\}", r"by_\1", route.path.removeprefix("/v1"))
    return f"{route.method.lower()}_" + "_".join(re.findall(r"\w+", path.replace("-", "_")))


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


def main() -> int:
    """Write or check the document. Nothing is called, so any setting will do."""
    for name in template.environment():
        os.environ.setdefault(name, "1")
    current = text()
    if "--check" in sys.argv:
        if not DOCUMENT.exists() or DOCUMENT.read_text("utf-8") != current:
            print("docs/openapi.json is not current: run `make openapi`")
            return 1
        return 0
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(current, "utf-8")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "functions"))
    sys.exit(main())
