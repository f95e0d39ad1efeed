/**
 * What a page runs first, in a few kilobytes: the session is renewed, what the address shows is asked
 * for and its screen fetched while React and all else (main.tsx) are still on their way. One after
 * the other, each of these would be a way there and back more.
 */

import "@fontsource-variable/golos-text";
import "./style/base.css";
import "./style/parts.css";

import { askAhead } from "./api/send";
import { currentSession, onSession, restore } from "./api/session";
import { language } from "./language";
import { at, bring, CLOSED, OPEN, READS } from "./routes";

const PATIENCE = 1000; // ms for which the page stays empty until it is known whose it is

const IDLE = 150; // ms after which the first calls are on their way

const path = location.pathname;
const guest = currentSession().status === "guest";
if (!guest) askOnceKnown();
const known = restore();

const [closed] = at(CLOSED, path) ?? [];
const screen = closed && guest ? OPEN["/sign-in"] : (at(OPEN, path)?.[0] ?? closed);
if (screen) bring(screen).catch(() => undefined); // said when it is shown
void import("./main").then(({ show }) => show());

// The first date in a language takes a slow phone a tenth of a second, as the browser reads its tables:
// best now, with the call for the token under way and nothing else to do.
setTimeout(() => new Intl.DateTimeFormat(language, { dateStyle: "long" }), IDLE);

// In the build all else imports from this file, so it is run when this line has ended. That takes a
// slow phone a third of a second: it shall pass while answers are on their way, not before they are
// asked for.
await Promise.race([known, new Promise((over) => setTimeout(over, PATIENCE))]);

/** Ask for what the address shows, as soon as there is a token to ask with. */
function askOnceKnown(): void {
  const [reads, named] = at(READS, path) ?? [[], {}];
  const stop = onSession(() => {
    const { status } = currentSession();
    if (status === "unknown") return;
    stop();
    if (status === "signed_in") for (const read of reads) askAhead(filled(read, named));
  });
}

function filled(read: string, named: Record<string, string>): string {
  return read.replace(/\{(\w+)\}/g, (_, name) => named[name] ?? "");
}
