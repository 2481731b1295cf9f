// Lives of guests drawn at random: what the server lets them do must be what the rules say, at each step.

import { memoryStore } from '../support/stores.ts';
import { type Act, drawLife, type Life } from './lives-draw.ts';
import { type Played, play } from './lives-play.ts';
import { numbers } from './options.ts';

// A silent router is waited for by the clock on the wall, three times a second: here fifty times as fast.
const slowly = globalThis.setTimeout;
const quickly = (work: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
  slowly(work, ms === 1000 ? 20 : ms, ...args);
globalThis.setTimeout = Object.assign(quickly, slowly) as typeof setTimeout;

const { lives, seed } = numbers({ lives: 200, seed: Math.floor(Math.random() * 1_000_000) });
const db = await memoryStore();

/** The same life with as little in it as still goes wrong in the same way. */
async function shorten(life: Life, rule: string): Promise<{ life: Life; played: Played }> {
  let best = { life, played: await play(db, life) };
  const tries = async (acts: Act[]) => {
    const shorter = { ...best.life, acts };
    const played = await play(db, shorter);
    if (played.wrong?.rule !== rule) return false;
    best = { life: shorter, played };
    return true;
  };
  for (let size = Math.ceil(life.acts.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = best.life.acts.length - size; at >= 0; at -= size) {
      await tries(best.life.acts.toSpliced(at, size));
    }
  }
  return best;
}

console.log(`seed    ${seed}`);
let steps = 0;
let acts = 0;
/** Of each rule the first that breaks it is told. */
const broken = new Map<string, number>();
for (let index = 0; index < lives; index++) {
  const life = drawLife(seed + index);
  acts += life.acts.length;
  const played = await play(db, life);
  steps += played.steps;
  if (!played.wrong) continue;
  const times = (broken.get(played.wrong.rule) ?? 0) + 1;
  broken.set(played.wrong.rule, times);
  if (times > 1) continue;
  const short = await shorten(life, played.wrong.rule);
  const { wrong, history } = short.played.wrong ? short.played : played;
  console.log(
    `WRONG   seed ${seed + index}, ${short.life.calm ? 'all calm' : 'with trouble'}: ${wrong?.message}`,
  );
  console.log(JSON.stringify({ ...short.life, acts: undefined }, (_, value) => value ?? undefined));
  console.log(history.join('\n'));
}
console.log(`lives   ${lives} of ${acts} acts, judged ${steps} times`);
await db.destroy();
for (const [rule, times] of broken) console.log(`broken  ${times} times: ${rule}`);
console.log(broken.size === 0 ? 'ok' : 'failed');
process.exit(broken.size === 0 ? 0 : 1);
