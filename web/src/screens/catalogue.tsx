import { Link } from "wouter";
import { api } from "../api/client";
import { t } from "../texts";
import { Page } from "../ui/page";
import { Empty, Loaded } from "../ui/states";

/** The services of the category «Здоровье». */
export default function Catalogue() {
  const services = api.useQuery("get", "/v1/services", {
    params: { query: { category: "health" } },
  });
  return (
    <Page title={t("catalogue.title")}>
      <p className="lead">{t("catalogue.lead")}</p>
      <h2>{t("catalogue.health")}</h2>
      <Loaded query={services}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("catalogue.none")} />
          ) : (
            <div className="panels">
              {items.map((service) => (
                <Link
                  key={service.service_id}
                  href={`/services/${service.service_id}`}
                  className="panel"
                >
                  <span className="panel-title">{service.title}</span>
                  <span>{service.description}</span>
                </Link>
              ))}
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}
