import type { Schemas } from "../api/client";
import { number } from "../texts";
import { Notice } from "../ui/states";
import { Done } from "./parts";
import { d } from "./texts";

type Counts = Pick<Schemas["IntakeOutcome"], "created" | "updated" | "unchanged" | "kept"> & {
  rejected: Schemas["IntakeRejection"][];
  rejected_total?: number | null;
};

const KINDS = ["created", "updated", "unchanged", "kept"] as const;

/** What became of the entries that were sent: how many of each, and why some were not taken. */
export function Outcome({ counts }: { counts: Counts }) {
  const { rejected } = counts;
  const total = counts.rejected_total ?? rejected.length;
  return (
    <div className="stack">
      {total === 0 ? (
        <Done title={d("outcome.all")} />
      ) : (
        <div role="status">
          <Notice tone="warning" title={d("outcome.some")}>
            <p>{d("outcome.some.hint")}</p>
          </Notice>
        </div>
      )}
      <table>
        <caption>{d("outcome.counts")}</caption>
        <thead>
          <tr>
            <th scope="col">{d("outcome.what")}</th>
            <th scope="col">{d("outcome.how_many")}</th>
          </tr>
        </thead>
        <tbody>
          {[
            ...KINDS.map((kind) => [kind, counts[kind]] as const),
            ["rejected", total] as const,
          ].map(([kind, count]) => (
            <tr key={kind}>
              <td data-label={d("outcome.what")}>
                <span>
                  {d(`outcome.${kind}`)}
                  {kind === "kept" && <span className="quiet"> {d("outcome.kept.hint")}</span>}
                </span>
              </td>
              <td data-label={d("outcome.how_many")}>{number(count)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rejected.length > 0 && (
        <table>
          <caption>{d("outcome.rejected.table")}</caption>
          <thead>
            <tr>
              <th scope="col">{d("outcome.place")}</th>
              <th scope="col">{d("outcome.resource")}</th>
              <th scope="col">{d("outcome.why")}</th>
            </tr>
          </thead>
          <tbody>
            {rejected.map((each) => (
              <tr key={`${each.index} ${each.code} ${each.element}`}>
                <td data-label={d("outcome.place")}>{number(each.index + 1)}</td>
                <td data-label={d("outcome.resource")}>
                  {each.element ?? each.resource_type ?? d("outcome.entry")}
                </td>
                <td data-label={d("outcome.why")}>{each.message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {total > rejected.length && (
        <p className="quiet">{d("outcome.first", { shown: rejected.length, total })}</p>
      )}
    </div>
  );
}
