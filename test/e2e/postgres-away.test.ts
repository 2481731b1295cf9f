// PostgreSQL away and back: silence meanwhile, never a wrong answer, and well again by itself.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Code } from '../../src/protocols/radius/packet.ts';
import { hasPostgres, messageOf, type Nas, type Nodes, openNas, openNodes } from './support/nodes.ts';
import { until } from './support/until.ts';

let two: Nodes;
let nas: Nas;
beforeAll(async () => {
  if (!hasPostgres) return;
  two = await openNodes();
  nas = openNas();
});
afterAll(async () => {
  if (!hasPostgres) return;
  await nas.close();
  await two.close();
});

test.runIf(hasPostgres)(
  'a node whose PostgreSQL is away answers nobody, logs little, and goes on by itself when it is back',
  async () => {
    const [node, other] = two.nodes;
    const ask = (timeoutMs: number) =>
      nas.logIn([node], 'NOBODY', 'x', '5A:00:00:00:00:01', { timeoutMs, attempts: 1 });
    expect(messageOf(await ask(5000))).toMatch(/Unknown/);
    const before = node.output().length;
    two.postgres.halt();
    for (let asked = 0; asked < 25; asked++) expect(await ask(100)).toBeUndefined();
    const lines = node.output().slice(before).split('\n').length;
    two.postgres.resume();
    const back = await until('an answer', () => ask(2500), 30);
    expect(back.code).toBe(Code.AccessReject);
    expect(messageOf(back)).toMatch(/Unknown/);
    expect([node.isRunning(), other.isRunning()]).toEqual([true, true]);
    // A request that failed and the jobs' tries, not a flood.
    expect(lines).toBeLessThan(200);
  },
);
