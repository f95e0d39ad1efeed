import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { useParams } from "wouter";
import { api, cache, client, type Schemas } from "../api/client";
import { problemOf } from "../api/problem";
import { date, maybe, moment, t } from "../texts";
import { Dialog } from "../ui/dialog";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Empty, Loaded, Notice } from "../ui/states";

type Entry = Schemas["JournalEntry"];
const FAILED = new Set(["unavailable", "internal"]);
const SAYS_WHERE = /^(read|write|hide)_/;

/** Who opened or changed the card, when and why; any act of somebody else can be contested. */
export default function Journal() {
  const { card = "" } = useParams();
  const [contested, contest] = useState<Entry>();
  const [others, setOthers] = useState(true);
  const entries = api.useInfiniteQuery(
    "get",
    "/v1/cards/{card_id}/journal",
    { params: { path: { card_id: card }, query: { limit: 100 } } },
    byCursor,
  );
  return (
    <Page title={t("journal.title")} back={{ href: `/cards/${card}/summary`, text: t("nav.card") }}>
      <p className="lead">{t("journal.lead")}</p>
      <label className="choice">
        <input
          type="checkbox"
          checked={!others}
          onChange={(event) => setOthers(!event.target.checked)}
        />
        {t("journal.mine")}
      </label>
      <Pages query={entries} empty={<Empty title={t("journal.none")} />}>
        {(items) => {
          const shown = items.filter(({ actor }) => !others || actor.role !== "patient");
          if (shown.length === 0) return <Empty title={t("journal.nobody")} />;
          return (
            <ol className="panel plain lines">
              {shown.map((each) => (
                <li key={each.entry_id}>
                  <One entry={each} contest={contest} />
                </li>
              ))}
            </ol>
          );
        }}
      </Pages>
      {contested && (
        <Dialog title={t("contest.title")} close={() => contest(undefined)}>
          <Contest card={card} entry={contested} />
        </Dialog>
      )}
    </Page>
  );
}

function One({ entry, contest }: { entry: Entry; contest: (entry: Entry) => void }) {
  const { actor } = entry;
  const own = actor.role === "patient";
  const who = own
    ? t("journal.you")
    : [actor.name, maybe(`role.${actor.role}`, actor.role)].filter(Boolean).join(", ");
  return (
    <article className="entry">
      <p className="quiet">{moment(entry.at)}</p>
      {entry.emergency && <p className="flag flag-bad">{t("journal.emergency")}</p>}
      <p>
        <strong>{who}</strong>
        {actor.clinic?.name && ` · ${actor.clinic.name}`}
      </p>
      <p>
        {maybe(`journal.action.${entry.action}`, entry.action)}
        {entry.section &&
          SAYS_WHERE.test(entry.action) &&
          `: ${maybe(`journal.section.${entry.section}`, entry.section)}`}
      </p>
      {entry.reason && !own && (
        <p>
          {t("journal.reason")} {maybe(`journal.purpose.${entry.reason}`, entry.reason)}
        </p>
      )}
      {entry.hidden_shown && <p className="flag flag-warning">{t("journal.hidden_shown")}</p>}
      {entry.outcome !== "done" && entry.outcome !== "requested" && (
        <p className="flag flag-warning">
          {t(FAILED.has(entry.outcome) ? "journal.failed" : "journal.refused")}
        </p>
      )}
      {!own && actor.role !== "system" && (
        <Button className="link" onPress={() => contest(entry)}>
          {t("contest.open")}
          <span className="only-read"> {moment(entry.at)}</span>
        </Button>
      )}
    </article>
  );
}

/** The question that was asked about an entry and its answer, or the form to ask it. */
function Contest({ card, entry }: { card: string; entry: Entry }) {
  const params = { path: { card_id: card, entry_id: entry.entry_id } };
  const path = "/v1/cards/{card_id}/journal/{entry_id}/contest";
  const queryKey = ["contest", card, entry.entry_id];
  const state = useQuery({
    queryKey,
    queryFn: async () => {
      try {
        return (await client.GET(path, { params })).data ?? null;
      } catch (error) {
        if (problemOf(error).code === "not_found") return null;
        throw error;
      }
    },
  });
  return (
    <Loaded query={state}>
      {(asked) =>
        asked ? (
          <>
            <Notice tone={asked.status === "answered" ? "good" : "info"}>
              <p>
                {asked.status === "answered"
                  ? t("contest.answered", { date: date(asked.answered_at ?? asked.due_at) })
                  : t("contest.waiting", { date: date(asked.due_at) })}
              </p>
              {asked.answer && <p>{asked.answer}</p>}
            </Notice>
            {asked.text && (
              <>
                <p className="label">{t("contest.yours")}</p>
                <p>{asked.text}</p>
              </>
            )}
          </>
        ) : (
          <>
            <p>{t("contest.lead")}</p>
            <AskForm
              submit={t("contest.submit")}
              act={async ({ text = "" }) => {
                await client.POST(path, { params, body: { text } });
                await cache.invalidateQueries({ queryKey });
              }}
            >
              <Field name="text" label={t("contest.text")} rows={4} isRequired autoFocus />
            </AskForm>
          </>
        )
      }
    </Loaded>
  );
}
