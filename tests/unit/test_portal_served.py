"""The portal in the cloud: its files, its headers, and whose word on an address is taken."""

from pathlib import Path
from typing import Any

import pytest

from kernel.api import App, _address
from kernel.settings import SettingMissing
from local import pages, publish
from tests import template

SECRET = "s" * 48
GATEWAY = {"identity": {"sourceIp": "198.51.100.7"}}


class Bucket:
    """What was put, in its order."""

    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []

    def put_object(self, **put: Any) -> None:
        self.put.append(put)


def test_the_page_comes_after_its_parts_and_is_asked_for_anew(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "icon.svg", ".ready", "assets/main-1.js", "assets/a-2.woff2"):
        (tmp_path / name).write_text(name)
    bucket = Bucket()
    assert publish.upload(bucket, "portal", tmp_path) == 4
    kept = [(put["Key"], put["ContentType"], put["CacheControl"]) for put in bucket.put]
    for_ever = "public, max-age=31536000, immutable"
    assert kept == [
        ("assets/a-2.woff2", "font/woff2", for_ever),
        ("assets/main-1.js", "text/javascript; charset=utf-8", for_ever),
        ("icon.svg", "image/svg+xml", "no-cache"),
        ("index.html", "text/html; charset=utf-8", "no-cache"),
    ]


def test_pages_here_carry_the_templates_headers() -> None:
    headers = pages.headers("http://127.0.0.1:4566")
    policy = headers["Content-Security-Policy"]
    assert "connect-src 'self' http://127.0.0.1:4566 http://127.0.0.1:4566;" in policy
    assert "$" not in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in headers["Permissions-Policy"]


def test_the_distribution_keeps_nothing_of_the_api_and_asks_it_over_tls_only() -> None:
    resource = template.load()["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    by_path = {each["PathPattern"]: each for each in resource["CacheBehaviors"]}
    assert set(by_path) == {"/v1/*", "/.well-known/*"}
    for each in by_path.values():
        assert each["TargetOriginId"] == "api"
        assert each["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CachingDisabled
    api = next(each for each in resource["Origins"] if each["Id"] == "api")
    assert api["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


@pytest.mark.parametrize(
    ("shown", "address"),
    [
        (SECRET, "203.0.113.9"),
        (SECRET[:-1], "198.51.100.7"),
        ("", "198.51.100.7"),
        (None, "198.51.100.7"),
    ],
)
def test_only_the_distribution_is_believed_who_calls(shown: str | None, address: str) -> None:
    headers = {"x-viewer-address": "203.0.113.9"}
    if shown is not None:
        headers["x-distribution-secret"] = shown
    assert _address(headers, GATEWAY, SECRET) == address


def test_without_a_secret_no_route_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISTRIBUTION_SECRET", raising=False)
    with pytest.raises(SettingMissing, match="DISTRIBUTION_SECRET"):
        App("x")
