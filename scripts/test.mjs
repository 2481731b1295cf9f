// Runs every check, and closes with one table: node scripts/test.mjs [--only=node,e2e] [path or name …]
import './need-node.mjs';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { provideDebianPackages } from './debian.mjs';
import { reaches } from './imports.mjs';
import { isPostgresInstalled, startPostgres } from './postgres.mjs';
import { bun, endRunning, loudly, root } from './run.mjs';
import { setup } from './setup.mjs';

const STEPS = ['types', 'lint', 'build', 'node', 'bun', 'e2e'];
const USAGE = `npm test -- [--only=WORD,…] [path …]
  A word is a step (${STEPS.join(' ')}) or part of a test's path, which chooses node and bun with these tests.
  A path narrows every chosen step to matching test files.`;

/** `{ steps, words, paths }` from the command line: what runs, what narrows node and bun, what narrows them all. */
function choice(args) {
  const only = args.filter((arg) => arg.startsWith('--only=')).flatMap((arg) => arg.slice(7).split(','));
  const unknown = args.filter((arg) => arg.startsWith('-') && !arg.startsWith('--only='));
  if (unknown.length > 0) {
    console.log(USAGE);
    process.exit(unknown.includes('--help') ? 0 : 1);
  }
  const paths = args.filter((arg) => !arg.startsWith('-'));
  const words = only.filter((word) => !STEPS.includes(word));
  const chosen = new Set(only.filter((word) => STEPS.includes(word)));
  if (words.length > 0) for (const name of ['node', 'bun']) chosen.add(name);
  if (chosen.size === 0)
    for (const file of paths)
      for (const name of file.includes('e2e') ? ['e2e'] : ['node', 'bun']) chosen.add(name);
  // End to end means the sources of now, not of the last build.
  if (chosen.has('e2e')) chosen.add('build');
  return { steps: chosen.size > 0 ? [...chosen] : STEPS, words, paths };
}

const { steps, words, paths } = choice(process.argv.slice(2));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'karibu-test-'));
// PostgreSQL's own user must get to the clusters that tests start in there.
chmodSync(scratch, 0o711);
const results = [];
let postgres;

process.on('exit', () => {
  postgres?.stop();
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    endRunning('SIGKILL');
    process.exit(130);
  });

/** Runs one step unless it was not asked for; `run` answers `{ ok, why, counts }` or `{ skipped }`. */
async function step(name, title, run) {
  if (!steps.includes(name)) return;
  console.log(`\n── ${title}`);
  const began = Date.now();
  let result;
  try {
    result = await run();
  } catch (error) {
    result = { ok: false, why: error.message };
  }
  if (!result.ok && result.why) console.log(result.why);
  results.push({ title, seconds: (Date.now() - began) / 1000, ...result });
}

/** What vitest wrote to its JSON report; a file that did not load is one failure. */
function readCounts(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0, failures: [], skippedIn: [] };
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const failures = report.testResults.flatMap(failuresOf);
  return {
    passed: report.numPassedTests,
    failed: failures.length,
    skipped: report.numPendingTests + report.numTodoTests,
    failures,
    skippedIn: report.testResults
      .map(({ name, assertionResults }) => {
        const skipped = assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed');
        return { file: path.relative(root, name), skipped: skipped.length };
      })
      .filter(({ skipped }) => skipped > 0),
  };
}

/** `{ file, test, why }` of each failed test; `why` begins with the message and ends with where it came from. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = path.relative(root, name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  if (failed.length === 0)
    return status === 'failed' ? [{ file, test: 'outside its tests', why: message }] : [];
  return failed.map((test) => ({ file, test: test.fullName, why: test.failureMessages.join('\n') }));
}

async function vitest(name, command, args, limits) {
  const report = path.join(scratch, `${name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const filters = name === 'e2e' ? paths : [...words, ...paths];
  // It may match tests of one runtime alone.
  const narrowed = filters.length > 0 ? ['--passWithNoTests', ...filters] : [];
  const { ok, why } = await loudly(
    command,
    [...args, 'node_modules/vitest/vitest.mjs', 'run', ...reporters, ...narrowed, ...(limits.extra ?? [])],
    { minutes: limits.minutes, env },
  );
  const counts = readCounts(report);
  if (ok && filters.length === 0 && counts.passed === 0) return { ok: false, why: 'no test ran', counts };
  return { ok, why, counts };
}

const began = Date.now();
console.log('── setup');
// What the tests leave in the temporary folder goes when this run ends.
const env = { TMPDIR: scratch };
let sqlite;
try {
  sqlite = setup({ dev: true });
} catch (error) {
  console.error(error.message);
  console.log('\n0 passed, 1 failed');
  process.exit(1);
}
const lacking = provideDebianPackages();
const wantsTests = steps.some((name) => ['node', 'bun', 'e2e'].includes(name));
if (wantsTests && isPostgresInstalled()) {
  try {
    postgres = await startPostgres();
    env.KARIBU_TEST_POSTGRES_URL = postgres.url;
  } catch (error) {
    console.log(error.message);
    results.push({ title: 'PostgreSQL server', seconds: 0, ok: false, why: 'did not start' });
  }
}
results.unshift({
  title: 'setup',
  seconds: (Date.now() - began) / 1000,
  ok: true,
  why: lacking.length > 0 ? `without ${lacking.join(' ')}` : '',
});

await step('types', 'types (tsc)', () =>
  loudly(process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit']),
);
await step('lint', 'lint and format (biome)', () =>
  loudly(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']),
);
let built = true;
// Before the tests, which read the bundled UI.
await step('build', 'build', async () => {
  const result = await loudly(process.execPath, ['scripts/build.mjs']);
  built = result.ok;
  return result;
});
await step('node', 'tests under Node', () => {
  const extra = [];
  let why = '';
  if (!sqlite.betterSqlite) {
    const left = testFiles().filter((file) => reaches(path.join(root, file), 'better-sqlite3'));
    why = `better-sqlite3 could not be compiled (${sqlite.why}): ${left.length} test files are left to Bun`;
    console.log(`${why}:\n${left.map((file) => `  ${file}`).join('\n')}`);
    extra.push(...left.map((file) => `--exclude=${file}`));
  }
  return vitest('node', process.execPath, [], { minutes: 20, extra }).then((result) => ({
    ...result,
    why: result.why || why,
  }));
});
await step('bun', 'tests under Bun', () => vitest('bun', bun, ['--bun'], { minutes: 20 }));
await step('e2e', 'end to end', () => {
  if (!built) return { skipped: 'nothing was built' };
  if (!existsSync(path.join(root, 'dist', 'karibu')))
    return { skipped: 'dist/karibu is missing: npm run build' };
  return vitest('e2e', process.execPath, [], { minutes: 25, extra: ['--config', 'vitest.e2e.config.ts'] });
});

function testFiles() {
  return readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('e2e'))
    .map((name) => path.join('test', name));
}

function line({ title, seconds, ok, skipped, why, counts }) {
  const outcome = skipped ? 'skipped' : ok ? 'ok' : 'FAILED';
  const tests = counts ? `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped; ` : '';
  const note = `${tests}${skipped ?? why ?? ''}`.split('\n')[0].replace(/; $/, '');
  return `${title.padEnd(26)}${seconds.toFixed(1).padStart(7)} s  ${outcome.padEnd(8)} ${note}`.trimEnd();
}

console.log(`\n${'─'.repeat(60)}`);
for (const result of results) console.log(line(result));
for (const { title, counts } of results)
  for (const { file, skipped } of counts?.skippedIn ?? [])
    console.log(`skipped: ${skipped} in ${file}, ${title}`);
// Whoever has only the end of the output must see what failed.
for (const { title, counts } of results)
  for (const { file, test, why } of counts?.failures ?? [])
    console.log(`\nFAILED: ${file} > ${test}, ${title}\n${why.split('\n').slice(0, 12).join('\n')}\n`);
const total = { passed: 0, failed: 0, skipped: 0 };
for (const { ok, skipped, counts } of results) {
  for (const key of Object.keys(total)) total[key] += counts?.[key] ?? 0;
  // A step that failed without a failed test is itself a failure.
  if (!ok && !skipped && !counts?.failed) total.failed += 1;
}
console.log(`${((Date.now() - began) / 1000).toFixed(0)} seconds in all\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || results.some(({ ok, skipped }) => !ok && !skipped) ? 1 : 0);
