// Tells in words what the visitor's doings set off behind the scenes.
import { formatMoney } from '../../lib/money.ts';
import { maskMsisdn } from '../../lib/msisdn.ts';
import { describeResult } from '../../protocols/mpesa/index.ts';
import { TerminateCause } from '../../protocols/radius/dictionary.ts';
import type { MpesaSimulator, Prompt } from '../../simulators/mpesa/index.ts';
import type { RouterEvent, RouterSimulator } from '../../simulators/router/simulator.ts';

export interface TapeLine {
  at: number;
  /** Who does it. */
  by: 'Karibu' | 'M-PESA' | 'Router' | 'Phone' | 'You';
  text: string;
}

export interface Tape {
  /** The last lines about this phone and about everyone, oldest first. */
  lines(mac: string): TapeLine[];
  add(line: TapeLine): void;
  stop(): void;
}

const KEPT = 40;
const SHOWN = 9;

const ENDS: Record<number, string> = {
  [TerminateCause['User-Request']]: 'the phone logged out',
  [TerminateCause['Lost-Carrier']]: 'the phone left the WiFi',
  [TerminateCause['Session-Timeout']]: 'its time is over',
  [TerminateCause['NAS-Request']]: 'its data is used up',
  [TerminateCause['Admin-Reset']]: 'Karibu ended it',
  [TerminateCause['Admin-Reboot']]: 'the router restarts',
};

function routerLine(event: RouterEvent): Omit<TapeLine, 'at'> | undefined {
  switch (event.type) {
    case 'access_sent':
      return { by: 'Router', text: `asks over RADIUS: may ${event.user} come in?` };
    case 'access_accepted':
      return { by: 'Karibu', text: 'says yes, with the plan’s time and speed' };
    case 'access_rejected':
      return { by: 'Karibu', text: `says no: “${event.message}”` };
    case 'session_started':
      return { by: 'Router', text: 'lets the phone out; the session is counted from now on' };
    case 'session_changed':
      return { by: 'Router', text: 'took the new limits while the session runs' };
    case 'session_stopped':
      return { by: 'Router', text: `ended the session: ${ENDS[event.cause] ?? `cause ${event.cause}`}` };
    case 'session_vanished':
      return { by: 'Router', text: 'lost the session and could not say so' };
    default:
      return undefined;
  }
}

function promptLines(prompt: Prompt): TapeLine[] {
  const amount = formatMoney(prompt.amount_shillings * 100);
  const lines: TapeLine[] = [
    {
      at: prompt.sent_at,
      by: 'Karibu',
      text: `writes down the order, then has M-PESA ask ${maskMsisdn(prompt.msisdn)} for ${amount}`,
    },
  ];
  if (prompt.decided_at !== null && prompt.result_code !== null) {
    const text =
      prompt.receipt === null
        ? `no payment: ${describeResult(prompt.result_code).operator}`
        : `has ${amount}: receipt ${prompt.receipt}`;
    lines.push({ at: prompt.decided_at, by: 'M-PESA', text });
  }
  const delivered = prompt.callbacks.find((delivery) => delivery.http_status === 200);
  if (delivered) {
    const text = prompt.receipt
      ? 'has the callback on disk, books the payment, grants the plan'
      : 'has the callback on disk';
    lines.push({ at: delivered.at, by: 'Karibu', text });
  }
  return lines;
}

/** Listens from now on; `isOwn` says which phones are the visitor's. */
export function createTape(
  router: RouterSimulator,
  mpesa: MpesaSimulator,
  isOwn: (mac: string) => boolean,
): Tape {
  let heard: (TapeLine & { mac?: string })[] = [];
  const add = (line: TapeLine & { mac?: string }) => {
    heard = [...heard, line].slice(-KEPT);
  };
  const stop = router.onEvent((event) => {
    if (!('mac' in event) || !isOwn(event.mac)) return;
    const line = routerLine(event);
    if (line) add({ at: event.at, mac: event.mac, ...line });
  });
  return {
    add,
    stop,
    lines(mac) {
      const own = heard.filter((line) => line.mac === undefined || line.mac === mac);
      const paid = mpesa.prompts().slice(-KEPT).flatMap(promptLines);
      // Stable: what happened in one millisecond stays in the order it was told.
      return [...paid, ...own].sort((a, b) => a.at - b.at).slice(-SHOWN);
    },
  };
}
