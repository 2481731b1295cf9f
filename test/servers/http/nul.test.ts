// A NUL, which PostgreSQL's text cannot hold, is refused at the door on every store.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
beforeEach(async () => {
  app = await startApp();
});
afterEach(() => app.close());

it('in a search, a JSON body and a form', async () => {
  const { call } = await app.signedInAs('owner');
  expect((await call('GET', '/subscribers?q=a%00b')).json).toMatchObject({ status: 400, code: 'invalid' });
  const plan = { name: 'a\0b', price_cents: 2000, validity_seconds: 3600 };
  expect((await call('POST', '/plans', plan)).json).toMatchObject({ status: 400, code: 'invalid' });
  expect((await call('POST', '/plans', { ...plan, name: 'a\\u0000b' })).status).toBe(201);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const typed = await app.at('portal', '/voucher', { method: 'POST', headers: form, body: 'code=AB%00CD' });
  expect(typed.status).toBe(400);
});
