/** What stands where the content would: loading, empty, refused, offline, too many, broken. */

import type { UseQueryResult } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { Link } from "wouter";
import { type Problem, problemOf } from "../api/problem";
import { duration, maybe, phone, t } from "../texts";

export function Loading() {
  return (
    <p className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      {t("state.loading")}
    </p>
  );
}

/** What a query gave, or the state that stands for it. */
export function Loaded<T>({
  query,
  children,
}: {
  query: Pick<UseQueryResult<T, unknown>, "data" | "error" | "refetch">;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <ProblemNotice error={query.error} again={query.refetch} />;
  return <Loading />;
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

type Tone = "info" | "good" | "warning" | "bad";

export function Notice({
  tone = "info",
  title,
  children,
}: {
  tone?: Tone;
  title?: string;
  children?: ReactNode;
}) {
  return (
    <div className={`notice notice-${tone}`} role={tone === "bad" ? "alert" : undefined}>
      {title && <p className="notice-title">{title}</p>}
      {children}
    </div>
  );
}

interface OwnWords {
  title: string;
  detail: string;
  way: ReactNode;
}

/** Where a part of the site says for itself what a problem means there and leads to: the desk. */
export const OtherWords = createContext<(problem: Problem) => OwnWords | null>(() => null);

/** Why something was refused or failed, in words, and the way out of it. */
export function ProblemNotice({ error, again }: { error: unknown; again?: () => unknown }) {
  const problem = problemOf(error);
  const other = useContext(OtherWords)(problem);
  const [title, detail] = other ? [other.title, other.detail] : said(problem);
  return (
    <Notice tone="bad" title={title}>
      {problem.retryAfter === null ? <p>{detail}</p> : <Wait problem={problem} again={again} />}
      {other ? other.way : <WayOut problem={problem} again={again} />}
      {problem.support?.phone && (
        <p>
          {t("problem.support")}{" "}
          <a href={`tel:${problem.support.phone}`}>{phone(problem.support.phone)}</a>
        </p>
      )}
      {problem.requestId && problem.status >= 500 && (
        <p className="quiet">{t("problem.request", { id: problem.requestId })}</p>
      )}
    </Notice>
  );
}

/** The client's own words where it has some for the code, else the service's. */
function said(problem: Problem): [string, string] {
  const title = maybe(`problem.${problem.code}.title`, problem.title);
  const detail = maybe(`problem.${problem.code}.detail`, problem.detail);
  return [title || t("problem.internal.title"), detail || t("problem.internal.detail")];
}

const CLOSED_CARD = new Set([
  "account_not_verified",
  "region_not_connected",
  "clinic_not_connected",
  "not_attached",
  "card_not_activated",
]);

function WayOut({ problem, again }: { problem: Problem; again?: () => unknown }) {
  if (CLOSED_CARD.has(problem.code)) {
    return (
      <Link href="/access" className="button">
        {t("access.open")}
      </Link>
    );
  }
  if (problem.code === "consent_required" || problem.code === "consent_outdated") {
    return (
      <Link href="/consent" className="button">
        {t("consent.open")}
      </Link>
    );
  }
  if (problem.code === "not_found" || problem.code === "forbidden") {
    return (
      <Link href="/" className="button button-second">
        {t("nav.home")}
      </Link>
    );
  }
  const worthwhile = problem.status === 0 || problem.status >= 500;
  if (!again || !worthwhile || problem.retryAfter !== null) return null;
  return (
    <Button className="button button-second" onPress={() => again()}>
      {t("problem.again")}
    </Button>
  );
}

/** Counts the wait down; the button works when it is over. */
function Wait({ problem, again }: { problem: Problem; again?: () => unknown }) {
  const [left, setLeft] = useState(problem.retryAfter ?? 0);
  useEffect(() => {
    const until = Date.now() + (problem.retryAfter ?? 0) * 1000;
    const tick = () => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    tick();
    const timer = setInterval(tick, 1000);
    return () => clearInterval(timer);
  }, [problem]);
  return (
    <>
      <p>{left > 0 ? t("problem.wait", { time: duration(left) }) : t("problem.waited")}</p>
      {again && (
        <Button className="button button-second" isDisabled={left > 0} onPress={() => again()}>
          {t("problem.again")}
        </Button>
      )}
    </>
  );
}

/** Says that a list is not whole, and why. */
export function Incomplete({ withheld, pending }: { withheld: number; pending: number }) {
  if (withheld === 0 && pending === 0) return null;
  return (
    <Notice title={t("partial.title")}>
      {withheld > 0 && <p>{t("partial.withheld", { count: withheld })}</p>}
      {pending > 0 && <p>{t("partial.pending", { count: pending })}</p>}
    </Notice>
  );
}
