import { type ReactNode, useEffect, useRef } from "react";
import { Link } from "wouter";
import { t } from "../texts";

let last = ""; // the first page keeps the focus where the browser puts it

/** One screen: its heading gets the focus, so that a screen reader begins there. */
export function Page({
  title,
  back,
  narrow,
  children,
}: {
  title: string;
  back?: { href: string; text: string };
  narrow?: boolean;
  children: ReactNode;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${t("name")}`;
    const moved = location.pathname !== last;
    const focused = document.activeElement;
    const here = heading.current?.parentElement?.contains(focused);
    // Kept: a field that took the focus itself, and on the same page whatever was chosen there.
    const kept = here && (!moved || focused instanceof HTMLInputElement);
    if (last && !kept) heading.current?.focus();
    last = location.pathname;
    window.scrollTo(0, 0);
  }, [title]);
  return (
    <div className={narrow ? "page page-narrow" : "page"}>
      {back && (
        <Link href={back.href} className="back">
          {back.text}
        </Link>
      )}
      <h1 tabIndex={-1} ref={heading}>
        {title}
      </h1>
      {children}
    </div>
  );
}
