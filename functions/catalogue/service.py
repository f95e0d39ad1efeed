"""What anybody may know: the services, the regions, the clinics, and how to go about it."""

from typing import Any

from catalogue.models import ClinicsQuery, HelpQuery, ServicesQuery, content, matches
from catalogue.repository import Registry
from kernel.query import Paging
from kernel.registry import Clinic
from kernel.texts import Language

Position = dict[str, Any] | None
# Enough for a search to read a region's clinics in one go.
_SEARCH_PAGE = 500


def services(
    query: ServicesQuery, language: Language, position: Position
) -> tuple[list[dict[str, Any]], Position]:
    """The services of a category whose title or text holds what is searched."""
    found = [
        each
        for each in content(language)["services"]
        if query.category in (None, each["category"])
        and matches(query.q, each["title"], each["description"])
    ]
    return _cut(found, position, query.limit)


def help_entries(
    query: HelpQuery, language: Language, position: Position
) -> tuple[list[dict[str, Any]], Position]:
    """Questions and answers; `steps` is empty where an answer has none."""
    found = [
        {"steps": [], **each}
        for each in content(language)["help"]
        if matches(query.q, each["question"], each["answer"], *each.get("steps", []))
    ]
    return _cut(found, position, query.limit)


def regions(
    query: Paging, position: Position, registry: Registry
) -> tuple[list[dict[str, Any]], Position]:
    """The regions, by code."""
    # One more than is shown: it tells whether the list goes on.
    found = registry.regions(position["after"] if position else None, query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > query.limit
    return [region.answer() for region in shown], {"after": shown[-1].code} if more else None


def clinics(
    query: ClinicsQuery, position: Position, registry: Registry
) -> tuple[list[dict[str, Any]], Position]:
    """The clinics of a region, or of all, whose name or address holds what is searched."""
    region = query.region.upper() if query.region else None
    after = position["after"] if position else None
    found: list[tuple[str, Clinic]] = []
    while True:
        size = _SEARCH_PAGE if query.q else query.limit + 1
        page, after = registry.clinics(region, after, size)
        found += [(at, c) for at, c in page if matches(query.q, c.name, c.address)]
        if after is None or len(found) > query.limit:
            break
    shown = found[: query.limit]
    more = len(found) > query.limit
    return [c.answer() for _, c in shown], {"after": shown[-1][0]} if more else None


def _cut(
    found: list[dict[str, Any]], position: Position, limit: int
) -> tuple[list[dict[str, Any]], Position]:
    start = position["from"] if position else 0
    end = start + limit
    return found[start:end], {"from": end} if end < len(found) else None
