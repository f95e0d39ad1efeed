import type { Schemas } from "../api/client";

const WIDTH = 240;

/** Where a value lies on its reference range: a picture of what the words beside it say. */
export function RangeBar({ observation }: { observation: Schemas["Observation"] }) {
  const { value, reference_range: range } = observation;
  const low = range?.low ?? null;
  const high = range?.high ?? null;
  if (typeof value !== "number" || (low === null && high === null)) return null;
  const at = scale(low, high);
  const left = low === null ? 0 : at(low);
  const right = high === null ? WIDTH : at(high);
  // What lies too far beyond the range sticks to the end of the bar.
  const here = Math.min(0.96 * WIDTH, Math.max(0.04 * WIDTH, at(value)));
  return (
    <svg className="range" viewBox={`0 0 ${WIDTH} 22`} width={WIDTH} height="22" aria-hidden="true">
      <rect className="range-all" x="0" y="8" width={WIDTH} height="6" rx="3" />
      <rect className="range-normal" x={left} y="8" width={right - left} height="6" rx="3" />
      <circle className="range-value" cx={here} cy="11" r="7" />
    </svg>
  );
}

/** A closed range takes the middle half; an open one reaches the end, and the bar begins at zero. */
function scale(low: number | null, high: number | null): (point: number) => number {
  if (low !== null && high !== null) {
    const span = high - low || 1;
    return (point) => WIDTH * (0.25 + ((point - low) / span) * 0.5);
  }
  const [edge, place] = high === null ? [low ?? 0, 0.25] : [high, 0.75];
  const unit = Math.abs(edge) || 1;
  return (point) => WIDTH * place * (1 + (point - edge) / unit);
}
