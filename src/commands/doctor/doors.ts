// Looks at the ports that Karibu listens on: free, its own, or another program's.
import type { Address, Config } from '../../config.ts';
import { findBindProblem } from '../ports.ts';
import { type Check, fail, ok } from './check.ts';

const ANSWER_MS = 2000;

/** Whether Karibu answers there: every HTTP door of ours has this page. */
async function isKaribu({ host, port }: Address): Promise<boolean> {
  const name =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  try {
    const answer = await fetch(`http://${name}:${port}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return ((await answer.json()) as { ok?: unknown }).ok === true;
  } catch {
    // Silence, a refusal, or words of another kind: whatever it is, it is not ours.
    return false;
  }
}

const PROBLEMS: Record<string, string> = {
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine has no such address',
};

function problem(name: string, variable: string, { host, port }: Address, code: string): Check {
  const what = PROBLEMS[code] ?? (code === 'EADDRINUSE' ? 'another program listens there' : code);
  return fail(name, `${host}:${port}: ${what}.`, `Stop it, or choose another address: ${variable}`);
}

/** One check a door. RADIUS gives no sign of life to strangers: taken ports are its own when the admin door answers. */
export async function checkDoors(config: Config): Promise<Check[]> {
  const checks: Check[] = [];
  let running = false;
  for (const door of ['admin', 'portal', 'callback'] as const) {
    const address = config[door];
    const code = address.port === 0 ? undefined : await findBindProblem(address, 'tcp');
    const ours = code === 'EADDRINUSE' && (await isKaribu(address));
    running ||= ours;
    const name = `${door} door`;
    const where = `${address.host}:${address.port}`;
    if (!code) checks.push(ok(name, `${where} is free`));
    else if (ours) checks.push(ok(name, `${where}: Karibu answers`));
    else checks.push(problem(name, `KARIBU_${door.toUpperCase()}_LISTEN`, address, code));
  }
  for (const [door, words] of [
    ['radius_auth', 'RADIUS sign-in'],
    ['radius_acct', 'RADIUS accounting'],
  ] as const) {
    const address = config[door];
    const code = address.port === 0 ? undefined : await findBindProblem(address, 'udp');
    const where = `${address.host}:${address.port}`;
    if (!code) checks.push(ok(words, `${where} is free`));
    else if (code === 'EADDRINUSE' && running) checks.push(ok(words, `${where}: in use while Karibu runs`));
    else checks.push(problem(words, `KARIBU_${door.toUpperCase()}_LISTEN`, address, code));
  }
  return checks;
}
