// A power cut given back over the wire: the router hears of the new end, and again where it refused.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchOutages } from '../../../src/jobs/watch-outages.ts';
import { getInteger } from '../../../src/protocols/radius/attributes.ts';
import { Code } from '../../../src/protocols/radius/packet.ts';
import { HOUR, someVouchers } from '../../access/fixtures.ts';
import { type CoaPeer, openCoaPeer } from '../../network/coa-peer.ts';
import { startWire, until, type Wire } from './fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';

let wire: Wire;
let peer: CoaPeer;
beforeEach(async () => {
  wire = await startWire();
  peer = await openCoaPeer();
});
afterEach(async () => {
  await wire.close();
  await peer.close();
});

/** A guest with four hours is online; an hour later the box loses its power for two. */
async function powerCut(settings: { coa_port?: number } = {}) {
  const router = await wire.addRouter('127.0.0.1', {}, { api_username: null, ...settings });
  router.addPhone({ mac: MAC });
  const { codes } = await someVouchers(wire.db, 1, { validity_seconds: 4 * 3600 });
  const code = codes[0] as string;
  expect(await router.login(MAC, code, code)).toHaveProperty('session');
  await router.idle();
  wire.ahead.ms += HOUR;
  await wire.restart(2 * HOUR, 0);
  await watchOutages(wire.jobs);
  const { json } = await wire.admin('GET', '/outages?state=waiting');
  const [outage] = json.items as { id: string; affected: number; extension_ms: number }[];
  expect(outage).toMatchObject({ kind: 'box', affected: 1 });
  return { router, id: outage?.id ?? '' };
}

const hoursLeft = (endsAt: number | undefined) => ((endsAt ?? Number.NaN) - wire.now()) / HOUR;

it('an outage that is approved moves the end of the live session by a CoA, without a new login', async () => {
  const { router, id } = await powerCut();
  expect(hoursLeft(router.sessions()[0]?.endsAt)).toBeCloseTo(1, 1);
  expect(await wire.admin('POST', `/outages/${id}/approve`)).toMatchObject({
    status: 200,
    json: { state: 'approved' },
  });
  await until(() => hoursLeft(router.sessions()[0]?.endsAt) > 2.9);
  expect(hoursLeft(router.sessions()[0]?.endsAt)).toBeCloseTo(3, 1);
  const { json } = await wire.admin('GET', `/outages/${id}/extensions`);
  expect(json.items).toMatchObject([{ kind: 'box' }]);
  expect(router.sessions()).toHaveLength(1);
});

it('a router that refuses the new end is asked again', async () => {
  const { id } = await powerCut({ coa_port: peer.port });
  peer.agrees = false;
  await wire.admin('POST', `/outages/${id}/approve`);
  await until(() => peer.asked.length > 0);
  peer.agrees = true;
  const enforced = await until(() =>
    wire.db
      .selectFrom('tasks')
      .selectAll()
      .where('kind', '=', 'enforce')
      .where('state', '=', 'done')
      .executeTakeFirst(),
  );
  expect(enforced).toMatchObject({ outcome: expect.stringContaining('The router agreed.') });
  expect(enforced.attempts).toBeGreaterThan(1);
  const ends = peer.asked.map((packet) => [packet.code, (getInteger(packet, 'Session-Timeout') ?? 0) / 3600]);
  expect(ends.length).toBeGreaterThan(1);
  // Counted from the session's start: three hours and the three that are left.
  for (const [code, hours] of ends) {
    expect(code).toBe(Code.CoaRequest);
    expect(hours).toBeCloseTo(6, 1);
  }
});
