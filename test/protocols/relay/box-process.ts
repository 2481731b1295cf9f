// A box as a process of its own, for tests that pull its plug: writes each notice to a file, flushed, before it is acknowledged.
import { fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRelayClient } from '../../../src/protocols/relay/index.ts';
import { bodyOf, TOKEN } from './bench.ts';

const [baseUrl = '', file = ''] = process.argv.slice(2);
const journal = openSync(file, 'a+');
// What came twice is taken once, by its own text: the journal is the unique key.
const known = new Set(readFileSync(file, 'utf8').split('\n').filter(Boolean));
createRelayClient({
  baseUrl,
  box: 'kiosk',
  token: TOKEN,
  fetch,
  now: Date.now,
  waitSeconds: 1,
  backoffMs: [5, 10, 20],
  async deliver(notice) {
    const body = bodyOf(notice);
    if (known.has(body)) return;
    writeSync(journal, `${body}\n`);
    fsyncSync(journal);
    known.add(body);
  },
}).start();
process.stdout.write('drawing\n');
