import { type ReactNode, useSyncExternalStore } from "react";
import { Button } from "react-aria-components";
import { Link, useLocation } from "wouter";
import { api, client } from "../api/client";
import { forget } from "../api/session";
import { language, speak } from "../language";
import { t } from "../texts";
import { useSession } from "./session";
import { Notice } from "./states";

/** What surrounds every screen. */
export function Layout({ children }: { children: ReactNode }) {
  const session = useSession();
  const staff = session.status === "signed_in" && session.account.roles.length > 0;
  return (
    <>
      <a href="#content" className="skip">
        {t("nav.skip")}
      </a>
      <header className="header">
        <div className="header-inside">
          <Link href="/" className="brand">
            <img src="/icon.svg" alt="" width="36" height="36" />
            {t("name")}
          </Link>
          <div className="header-end">
            <Button
              className="link"
              lang={language === "ru" ? "en" : "ru"}
              onPress={() => speak(language === "ru" ? "en" : "ru")}
            >
              {language === "ru" ? "English" : "Русский"}
            </Button>
            <Who />
          </div>
        </div>
        <Menu />
      </header>
      <Offline />
      <main id="content">{children}</main>
      <footer className="footer">
        <div className="footer-inside">
          {staff && <Link href="/desk">{t("nav.desk")}</Link>}
          <Link href="/help">{t("nav.help")}</Link>
          <Link href="/find-clinic">{t("nav.clinics")}</Link>
          <Link href="/verify">{t("nav.verify")}</Link>
          <span>{t("footer.demo")}</span>
        </div>
      </footer>
    </>
  );
}

function Who() {
  const session = useSession();
  const [path, go] = useLocation();
  if (session.status === "unknown") return null;
  if (session.status === "guest") {
    if (path === "/sign-in") return null;
    return (
      <Link href="/sign-in" className="button button-small">
        {t("nav.sign_in")}
      </Link>
    );
  }
  const leave = async () => {
    go("/");
    // Ended here whatever becomes of the call; the cookie alone is short of a session.
    await client.POST("/v1/auth/logout").catch(() => undefined);
    forget(false);
  };
  return (
    <Button className="button button-small button-second" onPress={leave}>
      {t("nav.sign_out")}
    </Button>
  );
}

function Menu() {
  const session = useSession();
  if (session.status !== "signed_in") return null;
  return (
    <nav className="menu" aria-label={t("nav.main")}>
      {session.account.roles.length > 0 && <To href="/desk">{t("nav.desk")}</To>}
      <To href="/clinics" also="/cards">
        {t("nav.card")}
      </To>
      <To href="/extracts">{t("nav.extracts")}</To>
      <To href="/notifications">
        {t("nav.notifications")}
        <Unread />
      </To>
      <To href="/settings">{t("nav.settings")}</To>
    </nav>
  );
}

function To({ href, also, children }: { href: string; also?: string; children: ReactNode }) {
  const [path] = useLocation();
  const here = path.startsWith(href) || (also && path.startsWith(also));
  return (
    <Link href={href} aria-current={here ? "page" : undefined}>
      {children}
    </Link>
  );
}

function Unread() {
  const { data } = api.useQuery("get", "/v1/notifications", {
    params: { query: { limit: 100 } },
  });
  const count = data?.items.filter((each) => !each.read).length ?? 0;
  if (count === 0) return null;
  return (
    <span className="badge">
      {count}
      <span className="only-read">{t("nav.unread")}</span>
    </span>
  );
}

function Offline() {
  const online = useSyncExternalStore(
    (changed) => {
      addEventListener("online", changed);
      addEventListener("offline", changed);
      return () => {
        removeEventListener("online", changed);
        removeEventListener("offline", changed);
      };
    },
    () => navigator.onLine,
  );
  return (
    <div role="status" className="offline">
      {!online && <Notice tone="warning" title={t("problem.offline.title")} />}
    </div>
  );
}
