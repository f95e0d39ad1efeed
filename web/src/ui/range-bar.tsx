import type { Schemas } from "../api/client";

const WIDTH = 240;

/** Where a value lies on its reference range: a picture of what the words beside it say. */
export function RangeBar({ observation }: { observation: Schemas["Observation"] }) {
  const { value, reference_range: range } = observation;
  const high = range?.high;
  if (typeof value !== "number" || high == null) return null;
  const low = range?.low ?? Math.min(0, value);
  const span = high - low || 1;
  // The range takes the middle half; what lies beyond a range's width sticks to the end.
  const at = (point: number) =>
    WIDTH * Math.min(0.96, Math.max(0.04, 0.25 + ((point - low) / span) * 0.5));
  return (
    <svg className="range" viewBox={`0 0 ${WIDTH} 22`} width={WIDTH} height="22" aria-hidden="true">
      <rect className="range-all" x="0" y="8" width={WIDTH} height="6" rx="3" />
      <rect className="range-normal" x={at(low)} y="8" width={at(high) - at(low)} height="6" />
      <circle className="range-value" cx={at(value)} cy="11" r="7" />
    </svg>
  );
}
