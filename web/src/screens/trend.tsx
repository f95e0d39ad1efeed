import { Link, useParams } from "wouter";
import { api, type Schemas } from "../api/client";
import { date, maybe, number, t } from "../texts";
import { Page } from "../ui/page";
import { Plot } from "../ui/plot";
import { edges } from "../ui/records";
import { Empty, Incomplete, Loaded } from "../ui/states";

/** One quantity over time: the plot, and the same values as a table. */
export default function Trend() {
  const { card = "", code = "" } = useParams();
  const series = api.useQuery("get", "/v1/cards/{card_id}/results/series", {
    params: { path: { card_id: card }, query: { code } },
  });
  const first = series.data?.series[0];
  const back = { href: `/cards/${card}/results`, text: t("section.results") };
  return (
    <Page title={first?.name ?? t("trend.title")} back={back}>
      <Loaded query={series}>{(read) => <TrendView read={read} card={card} />}</Loaded>
    </Page>
  );
}

/** All that was measured of a quantity, one part for each of its units. */
export function TrendView({ read, card }: { read: Schemas["SeriesAnswer"]; card: string }) {
  return (
    <>
      <Incomplete withheld={read.withheld} pending={read.pending} />
      {read.series.length === 0 && <Empty title={t("trend.none")} />}
      {read.series.map((each) => (
        <OneSeries key={`${each.system} ${each.code} ${each.unit}`} series={each} card={card} />
      ))}
      {read.not_numeric > 0 && (
        <p className="quiet">{t("trend.not_numeric", { count: read.not_numeric })}</p>
      )}
      {!read.complete && <p className="quiet">{t("trend.not_all")}</p>}
    </>
  );
}

function OneSeries({ series, card }: { series: Schemas["Series"]; card: string }) {
  const latestFirst = [...series.points].reverse();
  const ranged = series.points.some((point) => edges(point));
  const flagged = series.points.some((point) => point.interpretation);
  return (
    <section className="panel">
      <h2>{series.unit ? t("trend.unit", { unit: series.unit }) : series.name}</h2>
      {series.points.length > 1 && <Plot series={series} />}
      <table>
        <caption className="only-read">{series.name}</caption>
        <thead>
          <tr>
            <th scope="col">{t("trend.date")}</th>
            <th scope="col">{t("trend.value")}</th>
            {ranged && <th scope="col">{t("trend.range")}</th>}
            {flagged && <th scope="col">{t("trend.flag")}</th>}
          </tr>
        </thead>
        <tbody>
          {latestFirst.map((point) => (
            <tr key={`${point.record_id} ${point.date} ${point.value}`}>
              <td data-label={t("trend.date")}>
                <Link href={`/cards/${card}/results/${point.record_id}`}>
                  {point.date ? date(point.date) : t("record.undated")}
                </Link>
              </td>
              <td data-label={t("trend.value")}>
                {number(point.value)} {series.unit}
              </td>
              {ranged && <td data-label={t("trend.range")}>{edges(point)}</td>}
              {flagged && (
                <td data-label={t("trend.flag")}>
                  {maybe(`interpretation.${point.interpretation}`, "")}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
