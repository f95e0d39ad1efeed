import { QueryClientProvider } from "@tanstack/react-query";
import {
  type ComponentType,
  lazy,
  type ReactNode,
  Suspense,
  useEffect,
  useState,
  useSyncExternalStore,
} from "react";
import { I18nProvider } from "react-aria-components";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { cache } from "./api/client";
import { forgetAhead } from "./api/send";
import { currentSession, onSession, restore } from "./api/session";
import { awaited, onAwaited } from "./api/step-up";
import { language } from "./language";
import { brought, CLOSED, type Fetch, OPEN } from "./routes";
import Missing from "./screens/missing";
import { Boundary } from "./ui/boundary";
import { Layout } from "./ui/layout";
import { useSession } from "./ui/session";
import { Loading, ProblemNotice } from "./ui/states";

const OPEN_SCREENS = screens(OPEN);
const CLOSED_SCREENS = screens(CLOSED);
const StepUp = lazy(() => import("./ui/step-up"));

export function App() {
  useEffect(
    () =>
      // What the last person saw is not the next one's.
      onSession(() => {
        if (currentSession().status !== "guest") return;
        cache.clear();
        forgetAhead();
      }),
    [],
  );
  return (
    <I18nProvider locale={language}>
      <QueryClientProvider client={cache}>
        <Layout>
          <Boundary>
            <Suspense fallback={<Loading />}>
              <Switch>
                {OPEN_SCREENS.map(([path, Open]) => (
                  <Route key={path} path={path} component={Open} />
                ))}
                {CLOSED_SCREENS.map(([path, Closed]) => (
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
      </QueryClientProvider>
    </I18nProvider>
  );
}

/** The screens of a table: one that start.ts has brought is shown at once, others when they come. */
function screens(table: Record<string, Fetch>): [string, ComponentType][] {
  return Object.entries(table).map(([path, fetch]) => {
    const Later = lazy(fetch);
    return [
      path,
      function Screen() {
        const [Shown] = useState(() => brought(fetch) ?? Later);
        return <Shown />;
      },
    ];
  });
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
