"""What stands before the deployed API on this machine: its domain name, limits and gateway texts.

The portal's pages come from web/dist; everything else but /_local/* goes to the deployed stage as
it came. What API Gateway would answer itself
and the platform does not is answered from the deployed template's own GatewayResponses.
"""

import contextlib
import gzip
import importlib.util
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from local import pages
from local.deploy import Deployed

ROOT = Path(__file__).resolve().parent.parent
OPENAPI = ROOT / "docs" / "openapi.json"
PORTAL = ROOT / "web" / "dist"

# Quotas of API Gateway (REST) and of Lambda's synchronous invocations.
GATEWAY_BODY_LIMIT = 10 * 1024 * 1024
FUNCTION_BODY_LIMIT = 6 * 1024 * 1024
INTEGRATION_TIMEOUT = 29.0  # seconds

# Headers of one hop, and those that the gateway sets itself.
NOT_FORWARDED = {
    "connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade",
    "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto",
}  # fmt: skip
NOT_RETURNED = {"connection", "content-length", "date", "server", "transfer-encoding"}

# What the gateway says to an unknown path, and to a method that a known path does not have.
UNKNOWN = "MissingAuthenticationTokenException"
CONTEXT_VARIABLE = re.compile(r"\$context\.([A-Za-z.]+)")

TRY_PAGE = """<!doctype html>
<html lang="ru">
<head>
  <meta charset="utf-8">
  <title>Medkarta API</title>
  <link rel="stylesheet" href="/_local/assets/stylesheets/swagger-ui.css">
</head>
<body>
  <div id="page"></div>
  <script src="/_local/assets/javascripts/swagger-ui-bundle.js"></script>
  <script>
    SwaggerUIBundle({url: "/_local/openapi.json", dom_id: "#page", tryItOutEnabled: true,
                     persistAuthorization: true});
  </script>
</body>
</html>
"""

# What the distribution compresses on its way, of what is built.
COMPRESSED = {".js": "text/javascript", ".css": "text/css"}
FOR_EVER = "public, max-age=31536000, immutable"  # The names of built files change with content.

Json = dict[str, Any]


class Front:
    """The ASGI application over one deployed stack."""

    def __init__(
        self,
        deployed: Deployed,
        portal_url: str,
        outbox: Callable[[str | None], list[Json]],
        demo: Callable[[], Json | None],
        ready: Callable[[], bool],
    ) -> None:
        self.deployed = deployed
        self.portal_url = portal_url
        self.outbox = outbox
        self.demo = demo
        self.ready = ready
        self.gateway_responses = {
            response["responseType"]: response for response in deployed.gateway_responses
        }
        self.app = Starlette(
            routes=[
                Route("/_local/health", self.health),
                Route("/_local/outbox", self.text_messages),
                Route("/_local/demo", self.demo_accounts),
                Route("/_local/openapi.json", self.openapi),
                Route("/_local/docs", self.try_page),
                Mount("/_local/assets", StaticFiles(directory=_swagger_ui())),
                Route("/_local", self.to_try_page),
            ],
            lifespan=self.connected,
        )
        # Every path, line breaks in it too, and every method: what exists is the template's to say.
        self.app.router.default = self.anything_else
        self.app.router.redirect_slashes = False

    @contextlib.asynccontextmanager
    async def connected(self, _app: Starlette) -> AsyncIterator[None]:
        """Hold connections to the platform while the front serves."""
        limits = httpx.Limits(max_connections=None, keepalive_expiry=5)
        async with httpx.AsyncClient(
            timeout=INTEGRATION_TIMEOUT, trust_env=False, limits=limits
        ) as self.http:
            yield

    async def health(self, _request: Request) -> Response:
        """200 when the platform and the gateway answer, and the demo is loaded."""
        if not self.ready():
            return JSONResponse({"status": "starting"}, status_code=503)
        try:
            platform = await self.http.get(f"{self.deployed.endpoint}/_ministack/health")
            stage = await self.http.send(self._forwarded("GET", b"/", [], b""))
        except httpx.HTTPError:
            return JSONResponse({"status": "down"}, status_code=503)
        healthy = platform.status_code == 200 and stage.status_code < 500
        return JSONResponse({"status": "ok" if healthy else "down"}, 200 if healthy else 503)

    async def text_messages(self, request: Request) -> Response:
        """The text messages that would have been sent, newest first."""
        # In a query string an unescaped plus is a space.
        to = request.query_params.get("to", "").strip()
        number = f"+{to}" if to and not to.startswith("+") else to
        messages = await run_in_threadpool(self.outbox, number or None)
        return JSONResponse(messages, headers={"Cache-Control": "no-store"})

    async def demo_accounts(self, _request: Request) -> Response:
        """The demo's accounts with their passwords, as the contract's local section says."""
        accounts = self.demo()
        if accounts is None:
            return JSONResponse({"detail": "No demo data was loaded."}, status_code=404)
        return JSONResponse(accounts)

    async def openapi(self, _request: Request) -> Response:
        if not OPENAPI.exists():
            return JSONResponse({"detail": "docs/openapi.json is missing."}, status_code=404)
        return FileResponse(OPENAPI, media_type="application/json")

    async def try_page(self, _request: Request) -> Response:
        return HTMLResponse(TRY_PAGE)

    async def to_try_page(self, _request: Request) -> Response:
        return RedirectResponse("/_local/docs")

    async def anything_else(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is no page of this machine."""
        if scope["type"] != "http":
            return await self.app.router.not_found(scope, receive, send)
        answer = await self.to_portal_or_gateway(Request(scope, receive))
        return await answer(scope, receive, send)

    async def to_portal_or_gateway(self, request: Request) -> Response:
        """A file of the portal, its page for whoever navigates, or what the gateway answers."""
        path = request.url.path
        api = path.startswith(("/v1/", "/.well-known/"))
        if request.method not in {"GET", "HEAD"} or api or not (PORTAL / "index.html").exists():
            return await self.to_gateway(request)
        file = (PORTAL / path.lstrip("/")).resolve()
        if file.is_file() and file.is_relative_to(PORTAL) and file.name != "index.html":
            built = "/assets/" in path
            kept = {"Cache-Control": FOR_EVER if built else "no-cache"}
            headers = {**pages.headers(self.deployed.endpoint), **kept}
            small = "gzip" in request.headers.get("accept-encoding", "")
            if built and small and file.suffix in COMPRESSED:
                headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
                return Response(_compressed(file), 200, headers, COMPRESSED[file.suffix])
            return FileResponse(file, headers=headers)
        if path == "/" or "text/html" in request.headers.get("accept", ""):
            if request.url.netloc != urlsplit(self.portal_url).netloc:
                return self.to_portal(request)
            headers = {**pages.headers(self.deployed.endpoint), "Cache-Control": "no-cache"}
            return FileResponse(PORTAL / "index.html", headers=headers)
        return await self.to_gateway(request)

    def to_portal(self, request: Request) -> Response:
        """Whoever opens a page by another name, to the one that its cookie and passkeys know."""
        query = f"?{request.url.query}" if request.url.query else ""
        path = request.scope["raw_path"].decode("ascii").lstrip("/")
        headers = {"Cache-Control": "no-store", "Location": f"{self.portal_url}/{path}{query}"}
        return Response(status_code=307, headers=headers)

    async def to_gateway(self, request: Request) -> Response:
        """Forward to the deployed stage, within the gateway's limits."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > GATEWAY_BODY_LIMIT:
                return self._gateway_answer("REQUEST_TOO_LARGE", 413, "Request Too Long")
        if len(body) > FUNCTION_BODY_LIMIT:
            return self._gateway_answer("REQUEST_TOO_LARGE", 413, "Request Too Long")
        client = request.client.host if request.client else "127.0.0.1"
        headers = [
            (name, value)
            for name, value in request.headers.raw
            if name.decode("latin-1").lower() not in NOT_FORWARDED
        ]
        headers.append((b"x-forwarded-for", client.encode()))
        headers.append((b"x-forwarded-proto", request.url.scheme.encode()))
        target = request.scope["raw_path"]
        if request.scope["query_string"]:
            target += b"?" + request.scope["query_string"]
        try:
            answer = await self.http.send(self._forwarded(request.method, target, headers, body))
        except httpx.TimeoutException:
            return self._gateway_answer("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")
        except httpx.InvalidURL:
            return self._gateway_answer("BAD_REQUEST_PARAMETERS", 400, "Bad Request")
        except httpx.HTTPError:
            return self._gateway_answer("INTEGRATION_FAILURE", 504, "Internal server error")
        if _is_broken_function(answer) or len(answer.content) > FUNCTION_BODY_LIMIT:
            return self._gateway_answer("DEFAULT_5XX", 502, "Internal server error")
        if answer.headers.get("x-amzn-errortype") == UNKNOWN:
            allowed = self._methods_of(request.url.path)
            if allowed:
                return self._method_not_allowed(allowed, answer.headers["x-amzn-requestid"])
        response = Response(answer.content, answer.status_code)
        response.raw_headers = [
            (name.lower(), value)
            for name, value in answer.headers.raw
            if name.decode("latin-1").lower() not in NOT_RETURNED
        ]
        if answer.status_code not in {204, 304}:
            response.headers["content-length"] = str(len(answer.content))
        return response

    def _forwarded(
        self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> httpx.Request:
        """A request to the stage that carries nothing but what is given here."""
        stage = f"/restapis/{self.deployed.api_id}/{self.deployed.stage}/_user_request_"
        url = httpx.URL(self.deployed.endpoint).copy_with(raw_path=stage.encode() + target)
        return httpx.Request(method, url, headers=headers, content=body or None)

    def _methods_of(self, path: str) -> list[str]:
        """The methods of the resource that the gateway finds at a path.

        Where several match, it takes literal parts before parameters.
        """
        found: dict[str, list[str]] = {}
        for method, template, _closed in self.deployed.routes:
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path):
                found.setdefault(template, []).append(method)
        if not found:
            return []
        return sorted(found[min(found, key=lambda each: [p[:1] == "{" for p in each.split("/")])])

    def _method_not_allowed(self, allowed: list[str], request_id: str) -> Response:
        """405 by the contract: a REST API cannot say it, the distribution before it does."""
        title, detail = (
            " / ".join(texts[f"problem.method_not_allowed.{part}"] for texts in _texts())
            for part in ("title", "detail")
        )
        document = {
            "type": "urn:medkarta:problem:method_not_allowed",
            "title": title,
            "status": 405,
            "detail": detail,
            "code": "method_not_allowed",
            "request_id": request_id,
        }
        headers = {
            "Allow": ", ".join(allowed),
            "Cache-Control": "no-store",
            "x-amzn-requestid": request_id,
        }
        media = "application/problem+json; charset=utf-8"
        return Response(json.dumps(document, ensure_ascii=False), 405, headers, media)

    def _gateway_answer(self, response_type: str, status: int, message: str) -> Response:
        """Render the template's own answer for a type, as the gateway's developer guide says."""
        family = "DEFAULT_4XX" if status < 500 else "DEFAULT_5XX"
        chosen = self.gateway_responses.get(response_type, {})
        if chosen.get("defaultResponse", True):
            chosen = self.gateway_responses.get(family, {})
        else:
            status = int(chosen.get("statusCode", status))
        request_id = str(uuid.uuid4())
        values = {
            "requestId": request_id,
            "error.message": message,
            "error.messageString": json.dumps(message),
            "error.responseType": response_type,
        }
        template = (chosen.get("responseTemplates") or {}).get("application/json")
        template = template or '{"message":$context.error.messageString}'
        body = CONTEXT_VARIABLE.sub(lambda found: values.get(found[1], ""), template)
        headers = {"Content-Type": "application/json", "x-amzn-requestid": request_id}
        for name, value in (chosen.get("responseParameters") or {}).items():
            if name.startswith("gatewayresponse.header.") and value.startswith("'"):
                headers[name.removeprefix("gatewayresponse.header.")] = value.strip("'")
        return Response(body, status, headers)


def _is_broken_function(answer: httpx.Response) -> bool:
    """Whether a function crashed, timed out or answered no answer: the platform tells, AWS not."""
    if answer.status_code < 500:
        return False
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return False
    try:
        return set(answer.json()) == {"message"}
    except (TypeError, ValueError):
        return False


@cache
def _compressed(file: Path) -> bytes:
    return gzip.compress(file.read_bytes())


@cache
def _texts() -> list[dict[str, str]]:
    folder = ROOT / "functions" / "kernel" / "texts"
    return [json.loads((folder / f"{each}.json").read_text("utf-8")) for each in ("ru", "en")]


def _swagger_ui() -> Path:
    package = importlib.util.find_spec("mkdocs_swagger_ui_tag")
    assert package is not None
    return Path(str(package.origin)).parent / "swagger-ui"
