import { useParams } from "wouter";
import { api } from "../api/client";
import { TrendView } from "../screens/trend";
import { t } from "../texts";
import { Page } from "../ui/page";
import { Loaded } from "../ui/states";
import { because, usePurpose } from "./purpose";

/** One quantity of a patient over time. */
export default function Trend() {
  const { card = "", code = "" } = useParams();
  const series = api.useQuery("get", "/v1/clinic/cards/{card_id}/results/series", {
    params: { path: { card_id: card }, query: { code }, header: because(usePurpose()) },
  });
  const back = { href: `/cards/${card}/results`, text: t("section.results") };
  return (
    <Page title={series.data?.series[0]?.name ?? t("trend.title")} back={back}>
      <Loaded query={series}>{(read) => <TrendView read={read} card={card} />}</Loaded>
    </Page>
  );
}
