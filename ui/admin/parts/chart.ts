// Days or months as bars, drawn by uPlot in the colours of the page.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { html } from '../../shared/html.ts';

export interface Bar {
  /** The day, `2026-11-21`, or the month, `2026-11`. */
  day: string;
  value: number;
  /** The value in words, for who cannot see the bars. */
  text: string;
}

/** A phone shows less of it, so that the next card is in sight. */
function chartHeight(width: number): number {
  return width < 500 ? 180 : 236;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

type Naming = 'weekday' | 'date' | 'month';

const NAMES: Record<Naming, Intl.DateTimeFormatOptions> = {
  weekday: { weekday: 'short' },
  date: { day: 'numeric', month: 'short' },
  month: { month: 'short' },
};

/** Months by their names, a week by its weekdays, more by their dates. */
function naming(bars: Bar[]): Naming {
  if (bars[0]?.day.length === '2026-11'.length) return 'month';
  return bars.length <= 7 ? 'weekday' : 'date';
}

function nameOf(day: string, how: Naming): string {
  const date = how === 'month' ? `${day}-01` : day;
  return new Date(`${date}T12:00:00`).toLocaleDateString('en-GB', NAMES[how]);
}

/** Room for a name under the axis, pixels. */
const NAME_WIDTH: Record<Naming, number> = { weekday: 36, date: 58, month: 34 };

interface Look {
  /** The top of an axis without values. */
  least: number;
  /** How wide the values beside the axis are, pixels. */
  room: number;
  /** A value beside the axis, short: `1.2k`. */
  short: (value: number) => string;
}

/** Shillings: `1.2k` where the whole amount would not fit. */
export const SHILLINGS: Look = {
  least: 100,
  room: 46,
  short: (shillings) => (shillings >= 1000 ? `${Number((shillings / 1000).toFixed(1))}k` : String(shillings)),
};

function options(bars: Bar[], look: Look, past: boolean, width: number): uPlot.Options {
  const [muted, line, accent, soft] = [
    token('--muted'),
    token('--line'),
    token('--accent'),
    token('--chart-past'),
  ];
  const font = `12px ${token('--font')}`;
  const last = bars.length - 1;
  const how = naming(bars);
  const room = bars.length * NAME_WIDTH[how];
  const step = Math.max(1, Math.ceil(room / Math.max(width, 1)));
  return {
    width,
    height: chartHeight(width),
    // The last day's name stands in the middle under a bar that may be narrow.
    padding: [10, how === 'date' ? 18 : 4, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [-0.6, last + 0.6] },
      y: { range: (_, __, max) => [0, Math.max(max * 1.08, look.least)] },
    },
    axes: [
      {
        stroke: muted,
        font,
        grid: { show: false },
        ticks: { show: false },
        gap: 6,
        size: 28,
        splits: () => bars.map((_, index) => index).filter((index) => (last - index) % step === 0),
        values: (_, splits) =>
          splits.map((index) =>
            index === last && !past && how !== 'month' ? 'Today' : nameOf(bars[index]?.day ?? '', how),
          ),
      },
      {
        stroke: muted,
        font,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        gap: 8,
        size: look.room,
        space: 44,
        values: (_, splits) => splits.map(look.short),
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
            fill: {
              unit: 3,
              values: () => bars.map((_, index) => (index === last && !past ? accent : soft)),
            },
          },
        }),
        fill: accent,
      },
    ],
  };
}

interface DayChartProps {
  bars: Bar[];
  caption: string;
  look: Look;
  /** The last bar is not of now. */
  past?: boolean;
}

/**
 * `bars` are days or months, the oldest first, the last one of now unless said. The figures are also there for who
 * cannot see the bars.
 */
export function DayChart({ bars, caption, look, past = false }: DayChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const key = JSON.stringify(bars);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const days = JSON.parse(key) as Bar[];
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      const data: uPlot.AlignedData = [days.map((_, index) => index), days.map((day) => day.value)];
      plot = new uPlot(options(days, look, past, element.clientWidth), data, element);
    };
    // Another width has room for other names.
    let drawn = element.clientWidth;
    const watch = new ResizeObserver(() => {
      if (drawn === element.clientWidth) return;
      drawn = element.clientWidth;
      draw();
    });
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
  }, [key, look, past]);
  return html`<figure class="chart">
    <div ref=${box} aria-hidden="true"></div>
    <table class="off-screen"><caption>${caption}</caption><tbody>
      ${bars.map(({ day, text }) => html`<tr key=${day}><th scope="row">${day}</th><td>${text}</td></tr>`)}
    </tbody></table>
  </figure>`;
}
