"""Routes of the catalogue: public, readable by anybody, and the same for everybody."""

from typing import Any, NamedTuple

from catalogue import service
from catalogue.models import ClinicsQuery, HelpQuery, ServicesQuery
from catalogue.repository import Registry
from kernel.api import Answer, App, Public, Request
from kernel.cursors import Cursors
from kernel.errors import CursorInvalid
from kernel.query import Paging
from kernel.settings import load


class Settings(NamedTuple):
    registry_table: str
    lookup_key_id: str


settings = load(Settings)
registry = Registry(settings.registry_table)
cursors = Cursors(settings.lookup_key_id)
app = App("catalogue")

# A region or a clinic that is connected now is seen within a minute; texts change by deployment.
_REGISTRY_CACHE = "public, max-age=60"
_CONTENT_CACHE = "public, max-age=300"


@app.route(
    "GET",
    "/v1/services",
    access=Public(),
    answer="ServiceList",
    query=ServicesQuery,
    errors=[CursorInvalid],
    cache=_CONTENT_CACHE,
)
def get_services(request: Request) -> Answer:
    """The services of the portal."""
    binding = request.binding(request.query.category, request.query.q, request.language)
    position = cursors.read(request.query.cursor, binding)
    return _page(*service.services(request.query, request.language, position), binding)


@app.route(
    "GET",
    "/v1/regions",
    access=Public(),
    answer="RegionList",
    query=Paging,
    errors=[CursorInvalid],
    cache=_REGISTRY_CACHE,
)
def get_regions(request: Request) -> Answer:
    """The regions, whether they are connected, and their support."""
    binding = request.binding()
    position = cursors.read(request.query.cursor, binding)
    return _page(*service.regions(request.query, position, registry), binding)


@app.route(
    "GET",
    "/v1/clinics",
    access=Public(),
    answer="ClinicList",
    query=ClinicsQuery,
    errors=[CursorInvalid],
    cache=_REGISTRY_CACHE,
)
def get_clinics(request: Request) -> Answer:
    """The clinics, where they are and whether they are connected."""
    binding = request.binding(request.query.region, request.query.q)
    position = cursors.read(request.query.cursor, binding)
    return _page(*service.clinics(request.query, position, registry), binding)


@app.route(
    "GET",
    "/v1/help",
    access=Public(),
    answer="HelpList",
    query=HelpQuery,
    errors=[CursorInvalid],
    cache=_CONTENT_CACHE,
)
def get_help(request: Request) -> Answer:
    """Questions and answers."""
    binding = request.binding(request.query.q, request.language)
    position = cursors.read(request.query.cursor, binding)
    return _page(*service.help_entries(request.query, request.language, position), binding)


def _page(items: list[dict[str, Any]], position: dict[str, Any] | None, binding: str) -> Answer:
    body = {"items": items, "next_cursor": cursors.make(position, binding)}
    return Answer(body, headers={"Vary": "Accept-Language"})


handler = app
