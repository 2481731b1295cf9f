// Kills and freezes two nodes and their PostgreSQL in a storm of all they do, to hold what they acknowledged against them.
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Karibu } from '../e2e/support/karibu.ts';
import { hasPostgres, openNodes } from '../e2e/support/nodes.ts';
import { chance } from '../protocols/radius/material.ts';
import { type Guests, openGuests, pause } from './node-storm-guests.ts';
import { createJudge, type Judge } from './node-storm-judge.ts';
import { openRouter, type Router } from './node-storm-router.ts';
import { numbers } from './options.ts';

const given = numbers({ rounds: 30, seed: Date.now() % 0x7fffffff });
const by = chance(given.seed);
const VOUCHERS_A_ROUND = { single: 120, pair: 60, quota: 20, fair: 30, brief: 5 };
/** Longer than a task's lease: another node has taken over what a frozen one thinks it still holds. */
const LONGEST_FREEZE_MS = 13_000;

const violations: string[] = [];
function demand(holds: boolean, what: string): void {
  if (!holds) violations.push(what);
}

type Two = Awaited<ReturnType<typeof openNodes>>;

/** What befalls them; each resolves once it is over, with all of them back. */
const FAULTS: Record<string, (two: Two) => Promise<void>> = {
  'kill 1': ({ nodes }) => kill([nodes[0]]),
  'kill 2': ({ nodes }) => kill([nodes[1]]),
  'kill both': ({ nodes }) => kill(nodes),
  'freeze 1': ({ nodes }) => freeze(nodes[0]),
  'freeze 2': ({ nodes }) => freeze(nodes[1]),
  'freeze 1, kill 2': async ({ nodes }) => {
    await Promise.all([freeze(nodes[0]), pause(by.below(2000)).then(() => kill([nodes[1]]))]);
  },
  'freeze both': async ({ nodes }) => {
    await Promise.all([freeze(nodes[0]), pause(by.below(2000)).then(() => freeze(nodes[1]))]);
  },
  'freeze 2, kill PostgreSQL': async ({ nodes, postgres }) => {
    await Promise.all([
      freeze(nodes[1]),
      pause(by.below(1000))
        .then(() => postgres.kill9())
        .then(() => postgres.resume()),
    ]);
  },
  'kill PostgreSQL': async ({ postgres }) => {
    await postgres.kill9();
    await pause(by.below(3000));
    postgres.resume();
  },
  'kill PostgreSQL, kill 2': async ({ postgres, nodes }) => {
    await Promise.all([postgres.kill9(), nodes[1].kill9()]);
    postgres.resume();
    await nodes[1].restart();
  },
};

async function kill(victims: readonly Karibu[]): Promise<void> {
  await Promise.all(victims.map((node) => node.kill9()));
  await pause(by.below(2500));
  for (const node of victims) await node.restart();
}

async function freeze(node: Karibu): Promise<void> {
  const { pid } = node;
  process.kill(pid, 'SIGSTOP');
  await pause(1000 + by.below(by.below(3) === 0 ? LONGEST_FREEZE_MS - 1000 : 4000));
  process.kill(pid, 'SIGCONT');
}

/** Keeps so many at it until the storm is over; what a fault broke is the end of that one's try. */
async function keepAt(hands: number, over: () => boolean, one: () => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: hands }, async () => {
      while (!over()) await one().catch(() => pause(20));
    }),
  );
}

async function storm(two: Two, router: Router, guests: Guests): Promise<string[]> {
  two.shop.mpesa.setKnobs({ outcome: '0', callback_delay_ms: by.below(60) });
  let isOver = false;
  const over = () => isOver;
  const raging = Promise.all([
    keepAt(4, over, () => guests.single(over)),
    keepAt(1, over, () => guests.racers(over)),
    keepAt(3, over, () => guests.party(over)),
    keepAt(1, over, () => guests.eater(over)),
    keepAt(1, over, () => guests.fair(over)),
    keepAt(1, over, () => guests.brief(over)),
    keepAt(1, over, () => guests.revoker()),
    keepAt(2, over, () => guests.speeds()),
    keepAt(2, over, () => guests.buyer(over)),
    keepAt(1, over, () => guests.till()),
    keepAt(1, over, () => guests.printer()),
    // A router that is busy now and then, for less than it is asked.
    keepAt(1, over, async () => {
      router.coa.answers = false;
      await pause(by.below(1200));
      router.coa.answers = true;
      await pause(500 + by.below(3000));
    }),
  ]);
  const befell: string[] = [];
  for (let faults = 1 + by.below(2); faults > 0; faults--) {
    await pause(300 + by.below(1500));
    const name = by.pick(Object.keys(FAULTS));
    befell.push(name);
    await FAULTS[name]!(two);
  }
  await pause(by.below(800));
  isOver = true;
  await raging;
  router.coa.answers = true;
  return befell;
}

/** Both logs, and what lies in the store. */
async function leaveTraces({ nodes }: Two, judge: Judge): Promise<void> {
  const begin = path.join(tmpdir(), `node-storm-${given.seed}`);
  for (const [n, node] of nodes.entries()) writeFileSync(`${begin}-${n + 1}.log`, node.output());
  writeFileSync(`${begin}.json`, await judge.store());
  console.log(`traces in ${begin}*`);
}

const COLUMNS = [
  ...(['round', 'sign-ins', 'refused', 'reports', 'redeemed', 'paid', 'sent away', 'wrong'] as const),
  'what befell them',
] as const;
const WIDTHS = [5, 10, 9, 9, 10, 7, 11, 7];
const line = (cells: readonly unknown[]) =>
  cells.map((cell, at) => (at < WIDTHS.length ? String(cell).padStart(WIDTHS[at]!) : `  ${cell}`)).join('');

async function main(): Promise<void> {
  if (!hasPostgres) return;
  console.log(`seed ${given.seed}, ${given.rounds} rounds`);
  const two = await openNodes();
  const router = await openRouter(two, by, demand);
  const guests = await openGuests(two, router, by, demand);
  const judge = createJudge(two, router, guests, demand);
  const befell = new Map<string, number>();
  try {
    for (const kind of ['single', 'pair', 'quota', 'fair', 'brief'] as const) {
      const size = VOUCHERS_A_ROUND[kind] * given.rounds;
      guests.supply[kind].push(...(await judge.prepare(guests.terms[kind].plan.id, size)));
    }
    console.log(line(COLUMNS));
    for (let round = 1; round <= given.rounds && violations.length === 0; round++) {
      const faults = await storm(two, router, guests);
      for (const name of faults) befell.set(name, (befell.get(name) ?? 0) + 1);
      await judge.settle();
      await judge.check(round === given.rounds);
      for (const node of two.nodes) demand(node.isRunning(), 'a node ended by itself');
      const { sign_ins, refused, reports, sent_away } = router.count;
      const cells = [sign_ins, refused, reports, judge.count.vouchers, judge.count.payments, sent_away];
      console.log(line([round, ...cells, violations.length, faults.join('; ')]));
    }
    console.log(`befell ${JSON.stringify(Object.fromEntries(befell))}`);
    console.log(`totals ${JSON.stringify({ ...router.count, ...guests.count, ...judge.count })}`);
  } finally {
    if (violations.length > 0) await leaveTraces(two, judge);
    await router.close();
    await two.close();
  }
  if (violations.length === 0) return console.log('ok');
  for (const what of violations.slice(0, 20)) console.log(`failure: ${what}`);
  console.log(`         ${violations.length} in all; --seed ${given.seed} --rounds ${given.rounds}`);
  process.exit(1);
}

await main().catch((error: unknown) => {
  for (const what of violations.slice(0, 20)) console.log(`failure: ${what}`);
  console.log(`failure: ${error instanceof Error ? error.stack : error}`);
  console.log(`         --seed ${given.seed} --rounds ${given.rounds}`);
  process.exit(1);
});
