"""Which requests the local front answers with the portal's pages, and which go to the gateway."""

from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from local import front
from local.deploy import Deployed

PAGE = {"Accept": "text/html,application/xhtml+xml"}


class FrontOfNothing(front.Front):
    async def to_gateway(self, request: Request) -> Response:
        return Response("gateway", 404)


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("the page")
    (dist / "icon.svg").write_text("the icon")
    (dist / "assets" / "index-1a2b.js").write_text("the script")
    (tmp_path / "secret").write_text("not of the portal")
    monkeypatch.setattr(front, "PORTAL", dist)
    return dist


async def get(
    path: str, headers: dict[str, str] | None = None, at: str = "http://localhost:8080"
) -> httpx.Response:
    deployed = Deployed("http://127.0.0.1:1", {}, "api", "stage", [], set())
    name = "http://localhost:8080"
    app = FrontOfNothing(deployed, name, lambda _to: [], lambda: None, lambda: True).app
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=at) as client:
        return await client.get(path, headers=headers)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/", {}, "the page"),
        ("/settings/devices", PAGE, "the page"),
        ("/verify/K7QXM2PDR9TAW4HZ", PAGE, "the page"),
        ("/settings/devices", {"Accept": "application/json"}, "gateway"),
        ("/assets/index-1a2b.js", {}, "the script"),
        ("/icon.svg", {}, "the icon"),
        ("/v1/nothing", PAGE, "gateway"),
        ("/v1/clinics/%0a", {}, "gateway"),
        ("/.well-known/jwks.json", PAGE, "gateway"),
        ("/%2e%2e/secret", {}, "gateway"),
    ],
)
async def test_where_a_request_goes(
    portal: Path, path: str, headers: dict[str, str], expected: str
) -> None:
    assert (await get(path, headers)).text == expected


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/", {}, "http://localhost:8080/"),
        ("/verify/A%2FB?a=b%20c", PAGE, "http://localhost:8080/verify/A%2FB?a=b%20c"),
        ("/assets/index-1a2b.js", {}, None),
        ("/v1/nothing", PAGE, None),
    ],
)
async def test_pages_opened_by_address_are_sent_to_the_portals_name(
    portal: Path, path: str, headers: dict[str, str], expected: str | None
) -> None:
    """The cookie and the passkeys of browsers belong to one name; calls by address stay."""
    answer = await get(path, headers, at="http://127.0.0.1:8080")
    assert answer.headers.get("location") == expected
    assert (answer.status_code == 307) is (expected is not None)


@pytest.mark.anyio
async def test_pages_are_held_to_their_own_scripts(portal: Path) -> None:
    policy = (await get("/")).headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.anyio
async def test_built_files_are_kept_and_the_page_is_not(portal: Path) -> None:
    assert "immutable" in (await get("/assets/index-1a2b.js")).headers["cache-control"]
    assert (await get("/")).headers["cache-control"] == "no-cache"


@pytest.mark.anyio
async def test_scripts_are_compressed_for_whoever_takes_it(portal: Path) -> None:
    """As the distribution does: what the portal weighs here is what it weighs there."""
    packed = await get("/assets/index-1a2b.js", {"Accept-Encoding": "gzip"})
    plain = await get("/assets/index-1a2b.js", {"Accept-Encoding": "identity"})
    assert packed.text == plain.text == "the script"
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-type"].startswith("text/javascript")
    assert "content-encoding" not in plain.headers


@pytest.mark.anyio
async def test_without_a_built_portal_the_gateway_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "PORTAL", tmp_path / "none")
    assert (await get("/", PAGE)).text == "gateway"
