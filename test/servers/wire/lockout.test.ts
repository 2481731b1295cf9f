// A phone that is held back for guessing, as the operator frees it in the admin.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { REJECT_MESSAGES } from '../../../src/access/authorize.ts';
import { someVouchers } from '../../access/fixtures.ts';
import { startWire, type Wire } from './fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';

let wire: Wire;
beforeEach(async () => {
  wire = await startWire();
});
afterEach(() => wire.close());

it('gets in with the right code once it was let try again, not before, and it is in the audit', async () => {
  const router = await wire.addRouter('127.0.0.1');
  router.addPhone({ mac: MAC });
  const { codes } = await someVouchers(wire.db, 1);
  const code = codes[0] as string;
  for (let n = 0; n < 10; n++) await router.login(MAC, `ZZZZZZZ${n}`, '');
  expect(await router.login(MAC, code, code)).toEqual({ error: REJECT_MESSAGES.locked_out });
  const { json } = await wire.admin('GET', '/reports/access-log');
  expect(json.lockouts).toMatchObject([{ router_id: router.id, mac: MAC }]);
  const lockout = `/routers/${router.id}/lockouts/${encodeURIComponent(MAC)}`;
  expect((await wire.admin('DELETE', lockout)).status).toBe(204);
  expect((await wire.admin('GET', '/reports/access-log')).json.lockouts).toEqual([]);
  expect(await router.login(MAC, code, code)).toMatchObject({ session: expect.anything() });
  const done = { action: 'release lockout', entity_id: router.id };
  expect((await wire.admin('GET', '/audit')).json.items).toMatchObject([done]);
  expect(await wire.admin('DELETE', lockout)).toMatchObject({ status: 404, json: { code: 'not_found' } });
});
