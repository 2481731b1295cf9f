// One JSON line a happening, on stdout for news, on stderr for trouble.

export type LogFields = Record<string, unknown>;

export interface Log {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

function plain(value: unknown): unknown {
  if (value instanceof Error)
    return { message: value.message, stack: value.stack, cause: plain(value.cause) };
  return value;
}

/** How long the same trouble is only counted after it was written. */
const REPEATED_MS = 30_000;
/** Troubles that are told apart. */
const MOST_TROUBLES = 100;

/**
 * Which lines of trouble are written: a store that is away for an hour fails every packet and every job, and the log must
 * not fill the disk with it. Undefined for one that is only counted; else how many were since the last.
 */
function createRepeats(now: () => number) {
  const troubles = new Map<string, { until: number; counted: number }>();
  return (msg: string, fields: LogFields): number | undefined => {
    const { error, ...rest } = fields;
    const told = error instanceof Error ? error.message : error;
    const name = JSON.stringify([msg, told, rest.job ?? rest.task ?? rest.listener]);
    const known = troubles.get(name);
    if (known && now() < known.until) {
      known.counted++;
      return undefined;
    }
    troubles.delete(name);
    const [oldest] = troubles.keys();
    if (oldest !== undefined && troubles.size >= MOST_TROUBLES) troubles.delete(oldest);
    troubles.set(name, { until: now() + REPEATED_MS, counted: 0 });
    return known?.counted ?? 0;
  };
}

/**
 * A log that writes lines at or above `level`; `write` is where they go, `now` milliseconds that only go forward. Of the
 * same error again and again one line in half a minute is written, with `repeated`: how many were not.
 */
export function createLog(
  level: LogLevel,
  write: (line: string, level: LogLevel) => void = (line, at) =>
    (at === 'warn' || at === 'error' ? process.stderr : process.stdout).write(`${line}\n`),
  now: () => number = () => performance.now(),
): Log {
  const least = LEVELS.indexOf(level);
  const countRepeats = createRepeats(now);
  const at = (own: LogLevel) => (msg: string, fields?: LogFields) => {
    if (LEVELS.indexOf(own) < least) return;
    const repeated = fields && 'error' in fields ? countRepeats(msg, fields) : 0;
    if (repeated === undefined) return;
    const rest = fields && Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, plain(v)]));
    const times = repeated > 0 ? { repeated } : {};
    write(JSON.stringify({ at: new Date().toISOString(), level: own, msg, ...rest, ...times }), own);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export const silentLog: Log = createLog('error', () => undefined);
