// Runs many random mixes of what happens to payments, with kills, and prints what became of the money.
import { playMixes, tableOf } from './mixes.ts';
import { numbers } from './options.ts';

const given = numbers({ mixes: 500, seed: Date.now() % 0x7fffffff });
console.log(`seed ${given.seed}, ${given.mixes} mixes`);
const result = await playMixes(given, console.log);
console.log(tableOf(result).join('\n'));
console.log(
  `${result.mixes} mixes, ${result.cuts} cuts, KES ${result.shillings} at M-PESA, ${result.proofs} proofs of the ledger`,
);
for (const problem of result.problems) console.log(`wrong: ${problem}`);
console.log(result.problems.length === 0 ? 'ok' : `failed with seed ${given.seed}`);
process.exit(result.problems.length === 0 ? 0 : 1);
