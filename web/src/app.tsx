import {
  type ComponentType,
  lazy,
  type ReactNode,
  Suspense,
  useEffect,
  useSyncExternalStore,
} from "react";
import { matchRoute, Redirect, Route, Switch, useLocation, useRouter } from "wouter";
import { cache } from "./api/client";
import { currentSession, onSession, restore } from "./api/session";
import { awaited, onAwaited } from "./api/step-up";
import { Boundary } from "./ui/boundary";
import { Layout } from "./ui/layout";
import { useSession } from "./ui/session";
import { Loading, ProblemNotice } from "./ui/states";

type Screen = { default: ComponentType };
const loads = new Map<ComponentType, () => Promise<Screen>>();

function screen(load: () => Promise<Screen>): ComponentType {
  const made = lazy(load);
  loads.set(made, load);
  return made;
}

/** Screens that everybody may open. */
const OPEN: Record<string, ComponentType> = {
  "/": screen(() => import("./screens/catalogue")),
  "/services/:service": screen(() => import("./screens/service")),
  "/sign-in": screen(() => import("./screens/sign-in")),
  "/register": screen(() => import("./screens/register")),
  "/reset": screen(() => import("./screens/reset")),
  "/help": screen(() => import("./screens/help")),
  "/find-clinic": screen(() => import("./screens/find-clinic")),
  "/verify": screen(() => import("./screens/verify")),
  "/verify/:code": screen(() => import("./screens/verify")),
};

/** Screens of whoever is signed in. */
const CLOSED: Record<string, ComponentType> = {
  "/desk/*?": screen(() => import("./desk")),
  "/clinics": screen(() => import("./screens/clinics")),
  "/consent": screen(() => import("./screens/consent")),
  "/access": screen(() => import("./screens/access")),
  "/cards/:card/journal": screen(() => import("./screens/journal")),
  "/cards/:card/extract": screen(() => import("./screens/order-extract")),
  "/cards/:card/trend/:code": screen(() => import("./screens/trend")),
  "/cards/:card/:section": screen(() => import("./screens/card")),
  "/cards/:card/:section/:record": screen(() => import("./screens/record")),
  "/extracts": screen(() => import("./screens/extracts")),
  "/notifications": screen(() => import("./screens/notifications")),
  "/settings": screen(() => import("./screens/settings")),
  "/settings/consents": screen(() => import("./screens/consents")),
  "/settings/devices": screen(() => import("./screens/devices")),
  "/settings/factors": screen(() => import("./screens/factors")),
  "/settings/hidden": screen(() => import("./screens/hidden")),
  "/settings/password": screen(() => import("./screens/password")),
};

const StepUp = lazy(() => import("./ui/step-up"));
const Missing = screen(() => import("./screens/missing"));

export function App() {
  const { parser } = useRouter();
  useEffect(() => {
    void restore();
    // The screen that was opened comes while the session is asked for, not after it.
    const named = Object.entries({ ...OPEN, ...CLOSED }).find(
      ([path]) => matchRoute(parser, path, location.pathname)[0],
    );
    if (named)
      loads
        .get(named[1])?.()
        .catch(() => undefined); // said when it is shown
    // What the last person saw is not the next one's.
    return onSession(() => {
      if (currentSession().status === "guest") cache.clear();
    });
  }, [parser]);
  return (
    <Layout>
      <Boundary>
        <Suspense fallback={<Loading />}>
          <Switch>
            {Object.entries(OPEN).map(([path, Open]) => (
              <Route key={path} path={path} component={Open} />
            ))}
            {Object.entries(CLOSED).map(([path, Closed]) => (
              <Route key={path} path={path}>
                <SignedInOnly>
                  <Closed />
                </SignedInOnly>
              </Route>
            ))}
            <Route component={Missing} />
          </Switch>
        </Suspense>
      </Boundary>
      <WhenAwaited />
    </Layout>
  );
}

/** Leads guests to the sign-in and back. */
function SignedInOnly({ children }: { children: ReactNode }) {
  const session = useSession();
  const [path] = useLocation();
  if (session.status === "signed_in") return children;
  if (session.status === "guest") {
    return <Redirect to={`/sign-in?next=${encodeURIComponent(path)}`} replace />;
  }
  if (session.problem) return <ProblemNotice error={session.problem} again={restore} />;
  return <Loading />;
}

/** The dialog of the step-up is fetched when an act wants one. */
function WhenAwaited() {
  const waiting = useSyncExternalStore(onAwaited, awaited);
  return (
    waiting && (
      <Suspense>
        <StepUp />
      </Suspense>
    )
  );
}
