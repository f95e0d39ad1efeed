"""Regions and clinics, as the registry's index lists them."""

from kernel import dynamo
from kernel.registry import Clinic, Region

# Codes and ids are ASCII without control characters, so these stand before and after all of them.
_FIRST, _LAST = "!", "~"


class Registry:
    """The registry table's index `listing`, and nothing else of it."""

    def __init__(self, table: str) -> None:
        self._table = table

    def regions(self, after: str | None, limit: int) -> list[Region]:
        """Up to `limit` regions after a code."""
        page = self._page("REGIONS", after or _FIRST, _LAST, limit)
        return [Region.from_item(item) for item in page.items]

    def clinics(
        self, region: str | None, after: str | None, limit: int
    ) -> tuple[list[tuple[str, Clinic]], str | None]:
        """Up to `limit` clinics with their places in the list, and the place to go on after."""
        first = f"{region}#" if region else _FIRST
        last = f"{region}#{_LAST}" if region else _LAST
        # One more, since DynamoDB says "go on" at a limit that was reached, whatever follows.
        page = self._page("CLINICS", after or first, last, limit + 1)
        found = [(item["listing_sk"], Clinic.from_item(item)) for item in page.items[:limit]]
        more = len(page.items) > limit or page.next_key is not None
        return found, found[-1][0] if more and found else None

    def _page(self, listing: str, after: str, last: str, limit: int) -> dynamo.Page:
        # "after" itself is left out: nothing sorts between a text and the text with NUL behind it.
        return dynamo.query(
            self._table,
            "listing_pk = :listing AND listing_sk BETWEEN :after AND :last",
            {":listing": listing, ":after": after + "\x00", ":last": last},
            index="listing",
            limit=limit,
            consistent=False,
        )
