import { Link } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { counted, date, maybe, moment, number, type TextKey, t } from "../texts";
import { Act } from "../ui/act";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Fact } from "../ui/records";
import { Empty } from "../ui/states";

type Extract = Schemas["Extract"];
const POLL = 2000; // ms

/** The extracts that were ordered: how far they are, the file, the code that proves them. */
export default function Extracts() {
  const extracts = api.useInfiniteQuery(
    "get",
    "/v1/extracts",
    {},
    {
      ...byCursor,
      refetchInterval: ({ state }) =>
        state.data?.pages.some((page) => page.items.some((each) => each.status === "pending"))
          ? POLL
          : false,
    },
  );
  return (
    <Page title={t("extracts.title")}>
      <Pages
        query={extracts}
        empty={
          <Empty title={t("extracts.none")}>
            <p>{t("extracts.none.how")}</p>
            <Link href="/clinics" className="button">
              {t("nav.card")}
            </Link>
          </Empty>
        }
      >
        {(items) => items.map((each) => <One key={each.extract_id} extract={each} />)}
      </Pages>
    </Page>
  );
}

function One({ extract }: { extract: Extract }) {
  const params = { path: { extract_id: extract.extract_id } };
  const download = async () => {
    const { data } = await client.GET("/v1/extracts/{extract_id}/file", { params });
    if (data) location.assign(data.url);
  };
  return (
    <article className="panel">
      <div className="row">
        <h2>{t(`extract.kind.${extract.kind}` as TextKey)}</h2>
        <p className={FLAGS[extract.status]} role="status">
          {maybe(`status.extract.${extract.status}`, extract.status)}
        </p>
      </div>
      {extract.status === "pending" && (
        <progress
          aria-label={t("extracts.progress")}
          max={100}
          value={extract.progress ?? undefined}
        />
      )}
      {extract.error_message && <p>{extract.error_message}</p>}
      <dl className="facts">
        {extract.from && extract.to && (
          <Fact name={t("extracts.period")}>
            {date(extract.from)} – {date(extract.to)}
          </Fact>
        )}
        <Fact name={t("extracts.ordered")}>{moment(extract.created_at)}</Fact>
        {extract.status === "ready" && (
          <>
            {extract.expires_at && (
              <Fact name={t("extracts.until")}>{moment(extract.expires_at)}</Fact>
            )}
            {extract.size && (
              <Fact name={t("extracts.file")}>
                {[
                  "PDF",
                  extract.pages && counted("extracts.pages", extract.pages),
                  t("extracts.size", { size: number(Math.ceil(extract.size / 1024)) }),
                ]
                  .filter(Boolean)
                  .join(", ")}
              </Fact>
            )}
            {extract.verification_code && (
              <Fact name={t("extracts.code")}>
                <code>{extract.verification_code}</code>
              </Fact>
            )}
          </>
        )}
      </dl>
      {extract.status === "ready" && (
        <div className="actions">
          <Act text={t("extracts.download")} act={download} kind="button" />
          <Act
            text={t("extracts.delete")}
            act={() => client.DELETE("/v1/extracts/{extract_id}", { params })}
            ask={{ title: t("extracts.delete.ask"), body: <p>{t("extracts.delete.why")}</p> }}
          />
        </div>
      )}
    </article>
  );
}

const FLAGS: Record<Extract["status"], string> = {
  pending: "flag",
  ready: "flag flag-good",
  failed: "flag flag-bad",
  expired: "flag",
  revoked: "flag",
};
