import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import { t } from "../texts";
import { Incomplete, Loaded, ProblemNotice } from "./states";

interface List<Item> {
  items: Item[];
  next_cursor?: string | null;
  withheld?: number;
  pending?: number;
}

/** How a list is read page by page: give it to `api.useInfiniteQuery`. */
export const byCursor = {
  pageParamName: "cursor",
  initialPageParam: null,
  getNextPageParam: (last: { next_cursor?: string | null }) => last.next_cursor,
};

/** All that was read of a list, and a button for more. */
export function Pages<Item>({
  query,
  empty,
  children,
}: {
  query: UseInfiniteQueryResult<InfiniteData<List<Item>>, unknown>;
  empty: ReactNode;
  children: (items: Item[]) => ReactNode;
}) {
  return (
    <Loaded query={query}>
      {({ pages }) => {
        const items = pages.flatMap((page) => page.items);
        return (
          <div className="stack">
            <Incomplete withheld={pages[0]?.withheld ?? 0} pending={pages[0]?.pending ?? 0} />
            {items.length === 0 ? empty : children(items)}
            {query.isFetchNextPageError && (
              <ProblemNotice error={query.error} again={query.fetchNextPage} />
            )}
            {query.hasNextPage && (
              <Button
                className="button button-second"
                data-busy={query.isFetchingNextPage || undefined}
                onPress={() => query.isFetchingNextPage || query.fetchNextPage()}
              >
                {query.isFetchingNextPage ? t("state.loading") : t("state.more")}
              </Button>
            )}
          </div>
        );
      }}
    </Loaded>
  );
}
