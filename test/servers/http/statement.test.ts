// The statement of the M-PESA portal handed to the API, as CSV and as JSON.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { continueImport } from '../../../src/billing/statement-import.ts';
import { statementAnswer } from '../../../src/servers/http/admin/answers.ts';
import { MAX_STATEMENT_OCTETS } from '../../../src/servers/http/security.ts';
import { NOW } from '../../access/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

const TEXT = [
  'Receipt No.,Completion Time,Transaction Status,Paid In,Withdrawn,A/C No.',
  'VAF0000001,15-01-2027 11:00:00,Completed,"1,020.00",,nobody',
].join('\r\n');

let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
beforeAll(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
});
afterAll(() => app.close());

function send(body: string, type: string) {
  const headers = { authorization: `Bearer ${owner.token}`, 'content-type': type };
  return app.at('admin', '/api/v1/payments/statement', { method: 'POST', headers, body });
}

it('takes a statement as CSV, says what came of it, and writes down who brought it', async () => {
  const answer = await send(TEXT, 'text/csv; charset=utf-8');
  expect(answer.json).toMatchObject({ state: 'settling', lines: 1, done: 0, rows: 1, matched: 0, new: 1 });
  const { id } = answer.json;
  await continueImport(app.db, app.vault, id, () => NOW);
  const { json } = await owner.call('GET', `/statements/${id}`);
  expect(json).toMatchObject({ state: 'ready', done: 1, new: 1, settled: 0, unmatched: 1, missing: [] });
  expect(statementAnswer.safeParse(json).error).toBeUndefined();
  expect((await owner.call('GET', '/statements?limit=1')).json).toEqual({ items: [json], next: null });
  const { items } = (await owner.call('GET', '/payments?q=VAF0000001')).json;
  expect(items).toMatchObject([{ amount_cents: 102_000, state: 'unmatched' }]);
  const audited = (await owner.call('GET', '/audit')).json.items;
  expect(audited[0]).toMatchObject({ action: 'import', entity: 'statement' });
});

it('takes the same as JSON, and knows it all', async () => {
  const { json } = await owner.call('POST', '/payments/statement', { text: TEXT });
  expect(json).toMatchObject({ rows: 1, matched: 1, new: 0 });
});

it('takes a file of 64 KiB and more, and refuses one that is no statement or larger than any', async () => {
  const large = `${TEXT}\r\n${'VAF0000002,,Declined,5.00,,\r\n'.repeat(20_000)}`;
  expect((await send(large, 'text/csv')).json).toMatchObject({ rows: 20_001, others: 20_000 });
  expect((await send('hello', 'text/csv')).json).toMatchObject({ code: 'invalid' });
  expect((await send('', 'text/csv')).json).toMatchObject({ fields: { text: 'The file is empty.' } });
  expect((await send(`${TEXT}\0`, 'text/csv')).status).toBe(400);
  expect((await send('x'.repeat(MAX_STATEMENT_OCTETS + 1), 'text/csv')).status).toBe(413);
});

it('leaves every other body at 64 KiB', async () => {
  const name = 'x'.repeat(65 * 1024);
  expect((await owner.call('POST', '/plans', { name })).status).toBe(413);
});
