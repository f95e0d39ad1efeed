import { useEffect, useRef, useState } from "react";
import type { Schemas } from "../api/client";
import { number, shortDate, t } from "../texts";

const HEIGHT = 280;
const RIGHT = 20;
const TOP = 16;

/** Values over time with the reference range behind them; the table beside it holds the same. */
export function Plot({ series }: { series: Schemas["Series"] }) {
  const figure = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(320);
  useEffect(() => {
    const observer = new ResizeObserver(([seen]) => setWidth(seen?.contentRect.width ?? 320));
    if (figure.current) observer.observe(figure.current);
    return () => observer.disconnect();
  }, []);
  // Words take the room that the size of the text wants, the dates two lines where one is too short.
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const left = 3.5 * rem;
  const lines = width - left - RIGHT < 12 * rem ? 2 : 1;
  const room = (0.8 + 1.2 * lines) * rem;
  const points = series.points.flatMap((point) =>
    point.date ? [{ ...point, time: Date.parse(point.date) }] : [],
  );
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last || first === last) return null;
  const edges = points.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]);
  const margin = (Math.max(...edges) - Math.min(...edges) || 1) * 0.1;
  const bottom = Math.min(...edges) - margin;
  const top = Math.max(...edges) + margin;
  const x = (time: number) =>
    left + ((time - first.time) / (last.time - first.time || 1)) * (width - left - RIGHT);
  const y = (value: number) =>
    TOP + (1 - (value - bottom) / (top - bottom)) * (HEIGHT - TOP - room);
  const { low, high } = last;
  const normed = low != null || high != null; // a norm of one edge goes on to the plot's own
  const step = niceStep((top - bottom) / 3);
  const ticks = [1, 2, 3, 4]
    .map((count) => (Math.ceil(bottom / step) + count - 1) * step)
    .filter((tick) => tick < top);
  return (
    <figure className="plot" ref={figure}>
      <svg
        height={HEIGHT}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        role="img"
        aria-label={t("trend.plot", { name: series.name, count: points.length })}
      >
        {normed && (
          <rect
            className="plot-range"
            x={left}
            y={y(high ?? top)}
            width={width - left - RIGHT}
            height={y(low ?? bottom) - y(high ?? top)}
          />
        )}
        {ticks.map((tick) => (
          <g key={tick}>
            <line className="plot-grid" x1={left} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} />
            <text x={left - 8} y={y(tick) + 5} textAnchor="end">
              {number(Number(tick.toPrecision(6)))}
            </text>
          </g>
        ))}
        <polyline
          className="plot-line"
          points={points.map(({ time, value }) => `${x(time)},${y(value)}`).join(" ")}
        />
        {points.map((point) => (
          <circle
            key={`${point.record_id} ${point.time}`}
            className={point.interpretation === "normal" ? "plot-point" : "plot-point plot-flagged"}
            cx={x(point.time)}
            cy={y(point.value)}
            r={point.interpretation === "normal" ? 5 : 7}
          />
        ))}
        <text x={lines > 1 ? 0 : left} y={HEIGHT - 8 - (lines - 1) * 1.2 * rem}>
          {shortDate(first.date ?? "")}
        </text>
        <text x={width - RIGHT} y={HEIGHT - 8} textAnchor="end">
          {shortDate(last.date ?? "")}
        </text>
      </svg>
      {normed && <figcaption className="quiet">{t("trend.legend")}</figcaption>}
    </figure>
  );
}

/** The nearest step above that people count in: 1, 2 or 5 of some power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((each) => each * power >= least) ?? 10);
}
