import { Link } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { moment, t } from "../texts";
import { Act } from "../ui/act";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Empty } from "../ui/states";

type Notification = Schemas["Notification"];

/** What is new: results, emergency accesses, a consent that ends, an answered question. */
export default function Notifications() {
  const notifications = api.useInfiniteQuery("get", "/v1/notifications", {}, byCursor);
  return (
    <Page title={t("nav.notifications")}>
      <Pages query={notifications} empty={<Empty title={t("notifications.none")} />}>
        {(items) =>
          items.map((each) => (
            <article key={each.notification_id} className="panel">
              <div className="row">
                <h2>{each.title}</h2>
                <p className="quiet">{moment(each.at)}</p>
              </div>
              <p>{each.text}</p>
              <div className="actions">
                <Where notification={each} />
                {!each.read && (
                  <Act
                    text={t("notifications.read")}
                    kind="link"
                    act={() =>
                      client.POST("/v1/notifications/{notification_id}/read", {
                        params: { path: { notification_id: each.notification_id } },
                      })
                    }
                  />
                )}
              </div>
            </article>
          ))
        }
      </Pages>
    </Page>
  );
}

function Where({ notification: { kind, card_id } }: { notification: Notification }) {
  const [href, text] =
    kind === "consent_due"
      ? ["/consent", t("consent.open")]
      : kind === "new_results"
        ? [`/cards/${card_id}/results`, t("section.results")]
        : [`/cards/${card_id}/journal`, t("journal.title")];
  if (kind !== "consent_due" && !card_id) return null;
  return (
    <Link href={href} className="button button-second">
      {text}
    </Link>
  );
}
