import { type ComponentType, lazy, type ReactNode, Suspense, useEffect } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { cache } from "./api/client";
import { currentSession, onSession, restore } from "./api/session";
import { Boundary } from "./ui/boundary";
import { Layout } from "./ui/layout";
import { useSession } from "./ui/session";
import { Loading, ProblemNotice } from "./ui/states";
import { StepUp } from "./ui/step-up";

type Screen = { default: ComponentType };
const screen = (load: () => Promise<Screen>) => lazy(load);

/** Screens that everybody may open. */
const OPEN: Record<string, ComponentType> = {
  "/": screen(() => import("./screens/catalogue")),
  "/services/:service": screen(() => import("./screens/service")),
  "/sign-in": screen(() => import("./screens/sign-in")),
};

/** Screens of whoever is signed in. */
const CLOSED: Record<string, ComponentType> = {};

const Missing = screen(() => import("./screens/missing"));

export function App() {
  useEffect(() => {
    void restore();
    // What the last person saw is not the next one's.
    return onSession(() => {
      if (currentSession().status === "guest") cache.clear();
    });
  }, []);
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
      <StepUp />
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
