import "./desk.css";

import { type ComponentType, lazy, Suspense } from "react";
import { Button } from "react-aria-components";
import { Link, Route, Router, Switch, useLocation } from "wouter";
import { api } from "../api/client";
import { confirmIdentity } from "../api/step-up";
import Missing from "../screens/missing";
import { t } from "../texts";
import { Page } from "../ui/page";
import { useSession } from "../ui/session";
import { Loaded, Loading, Notice } from "../ui/states";
import { type DeskKey, d } from "./texts";
import { Words } from "./words";

export type Role = "clinician" | "registrar" | "operator";

const screen = (load: () => Promise<{ default: ComponentType }>) => lazy(load);

/** A screen and whose it is; those with a text stand in the menu of the desk. */
interface Place {
  path: string;
  role: Role;
  screen: ComponentType;
  text?: DeskKey;
  about?: DeskKey;
}

const PLACES: Place[] = [
  {
    path: "/people",
    role: "registrar",
    screen: screen(() => import("./people")),
    text: "people.title",
    about: "people.about",
  },
  {
    path: "/cases",
    role: "registrar",
    screen: screen(() => import("./cases")),
    text: "cases.title",
    about: "cases.about",
  },
  {
    path: "/staff",
    role: "registrar",
    screen: screen(() => import("./staff")),
    text: "staff.title",
    about: "staff.about.registrar",
  },
  {
    path: "/release",
    role: "registrar",
    screen: screen(() => import("./release")),
    text: "release.title",
    about: "release.about",
  },
  {
    path: "/cards",
    role: "clinician",
    screen: screen(() => import("./find-card")),
    text: "cards.title",
    about: "cards.about",
  },
  {
    path: "/emergency",
    role: "clinician",
    screen: screen(() => import("./emergency")),
    text: "emergency.title",
    about: "emergency.about",
  },
  { path: "/cards/:card/send", role: "clinician", screen: screen(() => import("./send")) },
  {
    path: "/cards/:card/imports/:import",
    role: "clinician",
    screen: screen(() => import("./import-state")),
  },
  { path: "/cards/:card/trend/:code", role: "clinician", screen: screen(() => import("./trend")) },
  { path: "/cards/:card/:section", role: "clinician", screen: screen(() => import("./card")) },
  {
    path: "/cards/:card/:section/:record",
    role: "clinician",
    screen: screen(() => import("./record")),
  },
  {
    path: "/regions",
    role: "operator",
    screen: screen(() => import("./regions")),
    text: "regions.title",
    about: "regions.about",
  },
  {
    path: "/clinics",
    role: "operator",
    screen: screen(() => import("./clinics")),
    text: "clinics.title",
    about: "clinics.about",
  },
  {
    path: "/registrars",
    role: "operator",
    screen: screen(() => import("./staff")),
    text: "registrars.title",
    about: "staff.about.operator",
  },
];

/** The desk: what the roles of the account allow, and no more. */
export default function Desk() {
  const session = useSession();
  const roles: string[] = session.status === "signed_in" ? session.account.roles : [];
  if (roles.length === 0) return <NoRole />;
  const places = PLACES.filter(({ role }) => roles.includes(role));
  return (
    <Router base="/desk">
      <Words of="worker">
        <Menu places={places} />
        <Suspense fallback={<Loading />}>
          <Switch>
            <Route path="/">
              <Home places={places} />
            </Route>
            {places.map(({ path, role, screen: Screen }) => (
              <Route key={`${role} ${path}`} path={path}>
                {role === "clinician" ? (
                  <Words of="card">
                    <Screen />
                  </Words>
                ) : (
                  <Screen />
                )}
              </Route>
            ))}
            <Route component={Missing} />
          </Switch>
        </Suspense>
      </Words>
    </Router>
  );
}

function Menu({ places }: { places: Place[] }) {
  const [path] = useLocation();
  return (
    <nav className="tabs desk-menu" aria-label={t("nav.desk")}>
      {places.map(
        (place) =>
          place.text && (
            <Link
              key={place.path}
              href={place.path}
              aria-current={
                path === place.path || path.startsWith(`${place.path}/`) ? "page" : undefined
              }
            >
              {d(place.text)}
            </Link>
          ),
      )}
    </nav>
  );
}

function Home({ places }: { places: Place[] }) {
  const account = api.useQuery("get", "/v1/auth/account");
  const clinics = api.useQuery("get", "/v1/clinics", { params: { query: { limit: 100 } } });
  return (
    <Page title={t("nav.desk")}>
      <Loaded query={account}>
        {({ appointments, last_name, first_name, middle_name }) => (
          <p className="lead">
            {appointments.map((each) => {
              const names = [last_name, first_name, middle_name];
              const clinic = clinics.data?.items.find((one) => one.clinic_id === each.clinic_id);
              return (
                <span key={`${each.role} ${each.clinic_id}`} className="held">
                  {each.role === "operator" ? names.filter(Boolean).join(" ") : each.name},{" "}
                  {t(`role.${each.role}`).toLocaleLowerCase()}
                  {clinic && `, ${clinic.name}`}
                </span>
              );
            })}
          </p>
        )}
      </Loaded>
      <div className="panels">
        {places.map(
          ({ path, text, about }) =>
            text &&
            about && (
              <Link key={path} href={path} className="panel">
                <span className="panel-title">{d(text)}</span>
                <span>{d(about)}</span>
              </Link>
            ),
        )}
      </div>
    </Page>
  );
}

/** Roles count only in a session that the app or a passkey confirmed: how to get there. */
function NoRole() {
  const account = api.useQuery("get", "/v1/auth/account");
  return (
    <Page title={t("nav.desk")} narrow>
      <Loaded query={account}>
        {({ factors }) => {
          const able = factors.totp || factors.passkeys > 0;
          return (
            <div className="panel">
              <Notice title={d("no_role.title")}>
                <p>{able ? d("no_role.confirm") : d("no_role.enrol")}</p>
              </Notice>
              <div className="actions">
                {able ? (
                  <Button className="button" onPress={() => void confirmIdentity()}>
                    {d("no_role.confirm.do")}
                  </Button>
                ) : (
                  <Link href="/settings/factors" className="button">
                    {d("no_role.enrol.do")}
                  </Link>
                )}
                <Link href="/clinics">{t("nav.card")}</Link>
              </div>
              <p className="quiet">{d("no_role.else")}</p>
            </div>
          );
        }}
      </Loaded>
    </Page>
  );
}
