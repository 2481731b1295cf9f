// Sends RADIUS requests at a constant rate, whether they are answered or not, and measures from when each was due.
import { open } from './load.ts';

const IDENTIFIERS = 256;
/** 6,144 requests are told apart: those of the last six seconds at 1,000 a second. */
const SOCKETS = 24;
/** How long an answer is waited for at the end. */
const LAST_ANSWER_MS = 3000;

export interface Rate {
  port: number;
  /** 256 lists; list n has requests with identifier n. */
  lanes: Buffer[][];
  seconds: number;
  perSecond: number;
}

export interface RateResult {
  sent: number;
  answered: number;
  /** Answers by packet code. */
  codes: Record<number, number>;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** 99 of 100 requests left the sender no later after they were due: what of p99 is the sender's own. */
  senderP99Ms: number;
}

function share(values: number[], part: number): number {
  return values[Math.floor((values.length - 1) * part)] ?? Number.NaN;
}

/** Sends for the given seconds. A sender that is late catches up, and what was due meanwhile counts as waiting. */
export async function runRate({ port, lanes, seconds, perSecond }: Rate): Promise<RateResult> {
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, open));
  const dueAt = new Float64Array(SOCKETS * IDENTIFIERS).fill(Number.NaN);
  const latencies: number[] = [];
  const lateness: number[] = [];
  const codes: Record<number, number> = {};
  for (const [at, socket] of sockets.entries()) {
    socket.on('message', (reply) => {
      const slot = at * IDENTIFIERS + (reply[1] as number);
      const due = dueAt[slot] as number;
      if (Number.isNaN(due)) return;
      dueAt[slot] = Number.NaN;
      latencies.push(performance.now() - due);
      codes[reply[0] as number] = (codes[reply[0] as number] ?? 0) + 1;
    });
  }
  const total = Math.floor(seconds * perSecond);
  const started = performance.now();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now();
      for (; sent < total && started + (sent * 1000) / perSecond <= now; sent++) {
        const slot = sent % dueAt.length;
        const lane = lanes[slot % IDENTIFIERS] as Buffer[];
        dueAt[slot] = started + (sent * 1000) / perSecond;
        lateness.push(now - (dueAt[slot] as number));
        const request = lane[Math.floor(sent / IDENTIFIERS) % lane.length] as Buffer;
        sockets[Math.floor(slot / IDENTIFIERS)]?.send(request, port, '127.0.0.1');
      }
      if (sent < total) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  for (let waited = 0; latencies.length < sent && waited < LAST_ANSWER_MS; waited += 10) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const socket of sockets) socket.close();
  latencies.sort((a, b) => a - b);
  lateness.sort((a, b) => a - b);
  return {
    sent,
    answered: latencies.length,
    codes,
    p50Ms: share(latencies, 0.5),
    p99Ms: share(latencies, 0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
    senderP99Ms: share(lateness, 0.99),
  };
}
