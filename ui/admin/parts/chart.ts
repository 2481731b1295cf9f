// The week's sales as bars, drawn by uPlot in the colours of the page.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import type { Overview } from '../types.ts';

/** Shillings at the top of an axis without sales. */
const LEAST_SCALE = 100;

/** A phone shows less of it, so that the next card is in sight. */
function chartHeight(width: number): number {
  return width < 500 ? 180 : 236;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function dayName(day: string): string {
  return new Date(`${day}T12:00:00`).toLocaleDateString('en-GB', { weekday: 'short' });
}

/** `1.2k` under an axis, where the whole amount would not fit. */
function shortAmount(shillings: number): string {
  return shillings >= 1000 ? `${Number((shillings / 1000).toFixed(1))}k` : String(shillings);
}

function options(week: Overview['week'], width: number): uPlot.Options {
  const [muted, line, accent, soft] = [
    token('--muted'),
    token('--line'),
    token('--accent'),
    token('--chart-past'),
  ];
  const font = `12px ${token('--font')}`;
  const last = week.length - 1;
  return {
    width,
    height: chartHeight(width),
    padding: [10, 4, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [-0.6, last + 0.6] },
      y: { range: (_, __, max) => [0, Math.max(max * 1.08, LEAST_SCALE)] },
    },
    axes: [
      {
        stroke: muted,
        font,
        grid: { show: false },
        ticks: { show: false },
        gap: 6,
        size: 28,
        splits: () => week.map((_, index) => index),
        values: (_, splits) =>
          splits.map((index) => (index === last ? 'Today' : dayName(week[index]?.day ?? ''))),
      },
      {
        stroke: muted,
        font,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        gap: 8,
        size: 46,
        space: 44,
        values: (_, splits) => splits.map(shortAmount),
      },
    ],
    series: [
      {},
      {
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars?.({
          size: [0.56, 44],
          radius: [0.18, 0],
          disp: {
            fill: { unit: 3, values: () => week.map((_, index) => (index === last ? accent : soft)) },
          },
        }),
        fill: accent,
      },
    ],
  };
}

/** `week` is seven days, the oldest first. The figures are also there for who cannot see the bars. */
export function WeekChart({ week }: { week: Overview['week'] }) {
  const box = useRef<HTMLDivElement>(null);
  const key = JSON.stringify(week);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const days = JSON.parse(key) as Overview['week'];
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      const data: uPlot.AlignedData = [
        days.map((_, index) => index),
        days.map((day) => day.sales_cents / 100),
      ];
      plot = new uPlot(options(days, element.clientWidth), data, element);
    };
    const watch = new ResizeObserver(() =>
      plot?.setSize({ width: element.clientWidth, height: chartHeight(element.clientWidth) }),
    );
    const scheme = window.matchMedia('(prefers-color-scheme: dark)');
    draw();
    watch.observe(element);
    scheme.addEventListener('change', draw);
    window.addEventListener('themechange', draw);
    return () => {
      watch.disconnect();
      scheme.removeEventListener('change', draw);
      window.removeEventListener('themechange', draw);
      plot?.destroy();
    };
  }, [key]);
  return html`<figure class="chart">
    <div ref=${box} aria-hidden="true"></div>
    <table class="off-screen"><caption>Sales by day</caption><tbody>
      ${week.map(
        (day) => html`<tr key=${day.day}><th scope="row">${day.day}</th><td>
      ${formatMoney(day.sales_cents)}</td></tr>`,
      )}
    </tbody></table>
  </figure>`;
}
