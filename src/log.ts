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

/** A log that writes lines at or above `level`; `write` is where they go. */
export function createLog(
  level: LogLevel,
  write: (line: string, level: LogLevel) => void = (line, at) =>
    (at === 'warn' || at === 'error' ? process.stderr : process.stdout).write(`${line}\n`),
): Log {
  const least = LEVELS.indexOf(level);
  const at = (own: LogLevel) => (msg: string, fields?: LogFields) => {
    if (LEVELS.indexOf(own) < least) return;
    const rest = fields && Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, plain(v)]));
    write(JSON.stringify({ at: new Date().toISOString(), level: own, msg, ...rest }), own);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export const silentLog: Log = createLog('error', () => undefined);
