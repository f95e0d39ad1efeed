import { api, client } from "../api/client";
import { moment, t } from "../texts";
import { Act } from "../ui/act";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Empty } from "../ui/states";

/** The devices that are signed in; each can be signed out from here. */
export default function Devices() {
  const sessions = api.useInfiniteQuery("get", "/v1/auth/sessions", {}, byCursor);
  return (
    <Page title={t("settings.devices")} back={{ href: "/settings", text: t("nav.settings") }}>
      <p className="lead">{t("devices.lead")}</p>
      <Pages query={sessions} empty={<Empty title={t("devices.none")} />}>
        {(items) => (
          <>
            <ul className="panel plain lines">
              {items.map((each) => (
                <li key={each.session_id} className="row">
                  <div>
                    <p className="label">{deviceOf(each.user_agent)}</p>
                    <p className="quiet">{t("devices.seen", { at: moment(each.last_seen_at) })}</p>
                  </div>
                  {each.current ? (
                    <p className="flag flag-good">{t("devices.current")}</p>
                  ) : (
                    <Act
                      text={t("devices.end")}
                      kind="link"
                      act={() =>
                        client.DELETE("/v1/auth/sessions/{session_id}", {
                          params: { path: { session_id: each.session_id } },
                        })
                      }
                    />
                  )}
                </li>
              ))}
            </ul>
            {items.length > 1 && (
              <div className="actions">
                <Act
                  text={t("devices.end_others")}
                  kind="button button-danger"
                  act={() => client.DELETE("/v1/auth/sessions")}
                  ask={{
                    title: t("devices.end_others.ask"),
                    body: <p>{t("devices.end_others.what")}</p>,
                  }}
                />
              </div>
            )}
          </>
        )}
      </Pages>
    </Page>
  );
}

const BROWSERS = [
  ["YaBrowser", "Яндекс Браузер"],
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["Firefox", "Firefox"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
] as const;
const SYSTEMS = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"];

/** A user agent in words, as far as it tells; the whole of it tells people nothing. */
function deviceOf(agent: string): string {
  const browser = BROWSERS.find(([mark]) => agent.includes(mark))?.[1];
  const system = SYSTEMS.find((mark) => agent.includes(mark));
  return [browser, system].filter(Boolean).join(", ") || t("devices.unknown");
}
