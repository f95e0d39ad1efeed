import { Link, useParams } from "wouter";
import { api } from "../api/client";
import { t } from "../texts";
import { Page } from "../ui/page";
import { Empty, Loaded } from "../ui/states";

/** What a service is, what it takes, and the way in. */
export default function Service() {
  const { service: id } = useParams();
  const services = api.useQuery("get", "/v1/services", {
    params: { query: { category: "health" } },
  });
  const found = services.data?.items.find((each) => each.service_id === id);
  const back = { href: "/", text: t("catalogue.title") };
  if (!found) {
    return (
      <Page title={services.data ? t("missing.title") : t("catalogue.health")} back={back}>
        <Loaded query={services}>{() => <Empty title={t("catalogue.none")} />}</Loaded>
      </Page>
    );
  }
  return (
    <Page title={found.title} back={back}>
      <p className="lead">{found.description}</p>
      <section className="panel">
        <h2>{t("service.requirements")}</h2>
        <ul>
          {found.requirements.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </ul>
        <div className="actions">
          <Link href="/clinics" className="button">
            {t("service.get")}
          </Link>
          <Link href="/help">{t("nav.help")}</Link>
        </div>
      </section>
    </Page>
  );
}
