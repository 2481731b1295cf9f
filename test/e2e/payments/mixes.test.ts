// Some random mixes of what happens to payments, with the plug pulled in between; test/soak/payments-mix.ts plays many.
import { expect, test } from 'vitest';
import { playMixes, tableOf } from '../../soak/mixes.ts';

const MIXES = 20;

test(`${MIXES} random mixes with power cuts leave the books agreed to the shilling`, async () => {
  const seed = Number(process.env.KARIBU_MIX_SEED ?? Date.now() % 0x7fffffff);
  console.log(`seed ${seed}`);
  const result = await playMixes({ mixes: MIXES, seed }, console.log);
  console.log(tableOf(result).join('\n'));
  expect(result.problems, `seed ${seed}`).toEqual([]);
  expect(result.mixes).toBe(MIXES);
  expect(result.shillings).toBeGreaterThan(0);
}, 300_000);
