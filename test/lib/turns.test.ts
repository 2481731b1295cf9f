// A crowd at a door is let in one by one.
import { expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';

it('requests begin one in each turn of the event loop, in the order they came', async () => {
  const turn = createTurns();
  const begun: number[] = [];
  for (const request of [1, 2, 3]) void turn().then(() => begun.push(request));
  const seen: number[][] = [];
  while (begun.length < 3) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push([...begun]);
  }
  expect(
    seen.map((before, at) => before.length - (seen[at - 1]?.length ?? 0)).every((more) => more <= 1),
  ).toBe(true);
  expect(begun).toEqual([1, 2, 3]);
  await turn();
});
