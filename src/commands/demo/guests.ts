// Keeps simulated guests coming and going at the simulated router.
import { listVouchers } from '../../access/vouchers.ts';
import type { Db } from '../../db/schema.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Vault } from '../../lib/secrets.ts';
import type { Log } from '../../log.ts';
import type { RouterSimulator } from '../../simulators/router/simulator.ts';
import { createRandom } from './random.ts';
import { randomMac } from './sample-week.ts';
import { VISITOR_MACS } from './visitor.ts';

interface Guest {
  mac: string;
  username: string;
  password: string;
}

export interface GuestsContext {
  db: Db;
  vault: Vault;
  clock: Clock;
  log: Log;
  router: RouterSimulator;
  /** The batch whose vouchers newcomers hold. */
  batchId: string | undefined;
}

export interface Guests {
  /** Brings the first ones online and keeps the place busy from then on. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const FEW = 9;
const MANY = 15;
const ROUND_MS = 3000;

/** Those whose plan runs on: they would be online at this hour. */
async function guestsWithPlans(db: Db, vault: Vault, now: number, most: number): Promise<Guest[]> {
  const rows = await db
    .selectFrom('entitlements as e')
    .innerJoin('credentials as c', 'c.id', 'e.credential_id')
    .select(['c.username', 'c.password_sealed', 'c.device_mac'])
    .where('e.state', '=', 'active')
    .where('e.ends_at', '>', now + 300_000)
    .where('c.device_mac', 'is not', null)
    .where('c.device_mac', 'not in', VISITOR_MACS)
    .orderBy('e.ends_at')
    .limit(most)
    .execute();
  return rows.map((row) => ({
    mac: row.device_mac as string,
    username: row.username,
    password: vault.open(row.password_sealed),
  }));
}

export function createGuests(ctx: GuestsContext): Guests {
  const { db, vault, router, clock } = ctx;
  const random = createRandom(clock.now() % 4_294_967_296);
  const known: Guest[] = [];
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;
  let stopped = false;

  const online = () => {
    const macs = new Set(router.sessions().map((session) => session.phone.mac));
    return known.filter((guest) => macs.has(guest.mac));
  };

  /** A phone with what its owner does just now: chats, browses, or watches. */
  function usePhone(mac: string): void {
    const downloadKbps = random.pick([40, 120, 300, 800, 1500, 2600]) + random.between(0, 60);
    router.addPhone({
      mac,
      downloadKbps,
      uploadKbps: Math.round(downloadKbps * (0.05 + random.next() * 0.2)),
    });
  }

  /** Logs a guest in over RADIUS; who is refused (the plan is over) does not come back. */
  async function bring(guest: Guest): Promise<void> {
    usePhone(guest.mac);
    const outcome = await router.login(guest.mac, guest.username, guest.password);
    if ('session' in outcome || stopped) return;
    ctx.log.debug('a simulated guest was refused', { mac: guest.mac, error: outcome.error });
    router.removePhone(guest.mac);
    known.splice(known.indexOf(guest), 1);
  }

  async function bringSomeone(): Promise<void> {
    const here = new Set(online());
    const back = known.find((guest) => !here.has(guest));
    if (back) return bring(back);
    if (!ctx.batchId) return;
    const { items } = await listVouchers(db, vault, { limit: 1 }, { state: 'unused', batch_id: ctx.batchId });
    const code = items[0]?.code;
    if (!code) return;
    const guest = { mac: randomMac(random), username: code, password: code };
    known.push(guest);
    await bring(guest);
  }

  async function playRound(): Promise<void> {
    const here = online();
    const someone = here.length > 0 ? random.pick(here) : undefined;
    if (someone) usePhone(someone.mac);
    if (here.length < FEW) await bringSomeone();
    else if (random.next() > 0.12) return;
    else if (here.length < MANY && random.next() < 0.6) await bringSomeone();
    else if (someone) router.logout(someone.mac);
  }

  function next(): void {
    timer = setTimeout(() => {
      round = playRound()
        .catch((error: unknown) => ctx.log.warn('simulated guests stumbled', { error }))
        .finally(() => {
          if (!stopped) next();
        });
    }, ROUND_MS);
  }

  return {
    async start() {
      known.push(...(await guestsWithPlans(db, vault, clock.now(), MANY - 2)));
      await Promise.all([...known].map(bring));
      while (!stopped && online().length < FEW) {
        const before = online().length;
        await bringSomeone();
        if (online().length === before) break;
      }
      if (!stopped) next();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}
