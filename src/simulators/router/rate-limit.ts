// Mikrotik-Rate-Limit as the router reads it.

export interface RateLimit {
  /** Bits a second from the subscriber: the router's rx. */
  uploadBps: number;
  /** Bits a second to the subscriber: the router's tx. */
  downloadBps: number;
}

/** The plain rates of `rx[/tx] …`, bursts and what follows left out; undefined when it cannot be read. */
export function parseRateLimit(text: string): RateLimit | undefined {
  const [rx = '', tx = rx, ...rest] = (text.trim().split(/\s+/)[0] ?? '').split('/');
  const uploadBps = parseRate(rx);
  const downloadBps = parseRate(tx);
  if (rest.length > 0 || uploadBps === undefined || downloadBps === undefined) return undefined;
  return { uploadBps, downloadBps };
}

function parseRate(text: string): number | undefined {
  const match = /^(\d+)([kMG]?)$/.exec(text);
  if (!match) return undefined;
  return (
    Number(match[1]) * { '': 1, k: 1000, M: 1_000_000, G: 1_000_000_000 }[match[2] as '' | 'k' | 'M' | 'G']
  );
}
