import { Link } from "wouter";
import { api } from "../api/client";
import { t } from "../texts";
import { SECTIONS } from "../ui/card-page";
import SectionHiding from "../ui/hiding";
import { Page } from "../ui/page";
import { Empty, Loaded } from "../ui/states";

/** What the doctors of each clinic do not see, and the way to show it to them again. */
export default function Hidden() {
  const cards = api.useQuery("get", "/v1/cards", { params: { query: { limit: 100 } } });
  return (
    <Page title={t("settings.hidden")} back={{ href: "/settings", text: t("nav.settings") }}>
      <p className="lead">{t("hide.explained")}</p>
      <p>{t("hide.lead")}</p>
      <Loaded query={cards}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("hide.no_card")}>
              <Link href="/clinics" className="button">
                {t("nav.card")}
              </Link>
            </Empty>
          ) : (
            <div className="stack">
              {items.map(({ card_id, clinic }) => (
                <section key={card_id} className="panel">
                  <h2>{clinic.name}</h2>
                  <ul className="plain lines">
                    {SECTIONS.map((section) => (
                      <li key={section} className="hiding">
                        <h3>
                          <Link href={`/cards/${card_id}/${section}`}>
                            {t(`section.${section}`)}
                          </Link>
                        </h3>
                        <SectionHiding card={card_id} section={section} />
                      </li>
                    ))}
                  </ul>
                </section>
              ))}
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}
