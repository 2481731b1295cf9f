// What two nodes do at the same moment, and what closes sessions and entitlements, on every store.
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { currentDeviceAccess } from '../../src/access/device-access.ts';
import { getEntitlement, revokeEntitlement, startEntitlement } from '../../src/access/entitlements.ts';
import { keepPlaces, replaceOldestDevices, takePlace } from '../../src/access/places.ts';
import {
  closeSessionsBeforeBoot,
  closeSilentSessions,
  closeStaleSessions,
  credentialsOutsideHours,
  moveSession,
  openSessions,
} from '../../src/access/sessions.ts';
import { cancelVoucherBatch, getVoucherBatch, redeemVoucher } from '../../src/access/vouchers.ts';
import type { JobContext } from '../../src/jobs/context.ts';
import { endEntitlements } from '../../src/jobs/end-entitlements.ts';
import { endHours } from '../../src/jobs/end-hours.ts';
import { enforceCredential } from '../../src/network/enforce.ts';
import { onEveryStore } from '../support/stores.ts';
import { HOUR, NOW, report, someAccess, someVouchers, vault } from './fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
const MINUTE = 60_000;
const macOf = (n: number) => `AA:BB:CC:00:02:${n.toString(16).toUpperCase().padStart(2, '0')}`;

type Access = Awaited<ReturnType<typeof someAccess>>;

/** An accounting message of one device of this access. */
function from(access: Access, mac: string, change: Parameters<typeof report>[0] = {}) {
  const { credential, entitlement } = access;
  return report({
    username: credential.username,
    acct_session_id: mac,
    mac,
    reference: { credential_id: credential.id, entitlement_id: entitlement.id, accept_id: mac },
    ...change,
  });
}

onEveryStore('at the same moment', (store, kind) => {
  const tasks = async (kind: string) => {
    const rows = await store().selectFrom('tasks').selectAll().where('kind', '=', kind).execute();
    return rows.map((row) => JSON.parse(row.payload) as Record<string, string>);
  };
  const jobAt = (now: number, trusted = true) => ({
    db: store(),
    clock: { now: () => now, monotonic: () => now },
    knownTime: { trusted: () => trusted } as JobContext['knownTime'],
    kick: () => undefined,
  });

  it('of several devices that start, as many stay as the plan allows', async () => {
    for (let round = 0; round < 8; round++) {
      const access = await someAccess(store(), { max_devices: 2 });
      const starts = [0, 1, 2, 3, 4].map((n) => from(access, macOf(10 * round + n)));
      await Promise.all(starts.map((start) => recordAccounting(store(), [start], NOW)));
      const open = await openSessions(store(), access.credential.id);
      const sentAway = open.filter((session) => session.disconnect_state === 'requested');
      expect([open.length, sentAway.length]).toEqual([5, 3]);
    }
    expect(await tasks('disconnect_session')).toHaveLength(24);
  });

  it.runIf(kind === 'postgresql')(
    'a guest whose access is taken back while their Start is written down is sent away',
    async () => {
      const access = await someAccess(store());
      const { credential, entitlement } = access;
      const clock = { now: () => NOW, monotonic: () => NOW };
      const context = { db: store(), vault, clock, clockTrusted: () => true };
      let enforcing: Promise<void> | undefined;
      const waits = async () => {
        const { rows } = await sql`select 1 from pg_locks where not granted`.execute(store());
        return rows.length > 0;
      };
      await recordAccounting(store(), [from(access, MAC)], NOW, async () => {
        await revokeEntitlement(store(), entitlement.id, 'refunded', NOW);
        let isDone = false;
        enforcing = enforceCredential(context, credential.id, 'revoked').then(() => {
          isDone = true;
        });
        while (!isDone && !(await waits()));
      });
      await enforcing;
      const [session] = await openSessions(store(), credential.id);
      expect(session?.disconnect_detail).toContain('revoked');
    },
  );

  it('each device that asks has another of the oldest give way', async () => {
    const access = await someAccess(store(), { max_devices: 3, device_policy: 'replace_oldest' });
    for (const n of [1, 2, 3]) {
      await recordAccounting(store(), [from(access, macOf(n), { at: NOW + n })], NOW);
    }
    const { id } = access.credential;
    await Promise.all([4, 5].map((n) => replaceOldestDevices(store(), id, macOf(n), 2, NOW + 10)));
    // The first made room for one; the second found as many as it may have beside it.
    const gone = (await openSessions(store(), id)).filter(({ disconnect_state }) => disconnect_state);
    expect(gone.map(({ mac }) => mac)).toEqual([macOf(1)]);
    await replaceOldestDevices(store(), id, macOf(4), 3, NOW + 11);
    expect(await tasks('disconnect_session')).toHaveLength(1);
    await replaceOldestDevices(store(), id, macOf(4), 1, NOW + 11);
    const now = (await openSessions(store(), id)).filter(({ disconnect_state }) => disconnect_state);
    expect(now.map(({ mac }) => mac).sort()).toEqual([macOf(1), macOf(2)]);
    expect(await tasks('disconnect_session')).toHaveLength(2);
  });

  it('two guests come back with other addresses: the oldest gives way once', async () => {
    const access = await someAccess(store(), { max_devices: 2 });
    const { id } = access.credential;
    for (let round = 0; round < 8; round++) {
      // The oldest is online at two routers.
      const starts = [1, 1, 2].map((n, at) =>
        from(access, macOf(n), {
          ...{ acct_session_id: `${round} ${n}`, router_id: `router-${at}`, at: NOW + 10 * round + at },
        }),
      );
      await recordAccounting(store(), starts, NOW);
      const back = [3, 4].map((n) => ({ mac: macOf(n), previous_mac: null }));
      const made = await Promise.all(back.map((one) => takePlace(store(), id, one, 2, NOW)));
      expect(made.sort()).toEqual([false, true]);
      expect(await tasks('disconnect_session')).toHaveLength(2 * (round + 1));
      await store().updateTable('sessions').set({ state: 'closed', stopped_at: NOW }).execute();
    }
  });

  it('a plan for fewer devices takes over at both: as many go as are too many, none without an address', async () => {
    const access = await someAccess(store(), { max_devices: 9 });
    for (const n of [1, 2, 3, 4]) {
      await recordAccounting(store(), [from(access, macOf(n), { at: NOW + n })], NOW);
    }
    for (const acct_session_id of ['x', 'y']) {
      await recordAccounting(store(), [from(access, '', { mac: null, acct_session_id })], NOW);
    }
    await store().updateTable('entitlements').set({ max_devices: 2 }).execute();
    const { id } = access.credential;
    await Promise.all([10, 11, 12].map((later) => keepPlaces(store(), id, NOW + later)));
    const gone = (await openSessions(store(), id)).filter(({ gave_way_at }) => gave_way_at !== null);
    expect(gone.map(({ mac }) => mac).sort()).toEqual([macOf(3), macOf(4)]);
    expect(await tasks('disconnect_session')).toHaveLength(2);
  });

  it('a plan that takes over sends nobody away who has a place, or while another still carries a session', async () => {
    const access = await someAccess(store(), { max_devices: 3, device_policy: 'replace_oldest' });
    for (const n of [1, 2]) {
      await recordAccounting(store(), [from(access, macOf(n), { at: NOW + n })], NOW);
    }
    const { id } = access.credential;
    await keepPlaces(store(), id, NOW + 10);
    const next = await access.grant();
    await store().updateTable('entitlements').set({ max_devices: 1 }).execute();
    const [first] = await openSessions(store(), id);
    await moveSession(store(), first?.id ?? '', next);
    await keepPlaces(store(), id, NOW + 11);
    expect(await tasks('disconnect_session')).toEqual([]);
    for (const { id: each } of await openSessions(store(), id)) await moveSession(store(), each, next);
    await keepPlaces(store(), id, NOW + 12);
    expect(await tasks('disconnect_session')).toHaveLength(1);
  });

  it('reports of the same sessions, in opposite orders, are all counted once', async () => {
    const accesses: Access[] = [];
    for (let n = 0; n < 6; n++) accesses.push(await someAccess(store(), { quota_octets: 10 ** 9 }));
    const told = (seconds: number) =>
      accesses.map((access, n) =>
        from(access, macOf(n), { kind: 'interim', session_seconds: seconds, download_octets: seconds * 10 }),
      );
    await recordAccounting(store(), told(1), NOW);
    for (let seconds = 2; seconds < 6; seconds++) {
      // Each node has got some retransmissions of what the other one has.
      await Promise.all([
        recordAccounting(store(), told(seconds), NOW),
        recordAccounting(store(), told(seconds).reverse(), NOW),
        recordAccounting(store(), told(seconds - 1).reverse(), NOW),
      ]);
    }
    for (const { entitlement } of accesses) {
      expect(await getEntitlement(store(), entitlement.id)).toMatchObject({
        used_seconds: 5,
        used_download_octets: 50,
      });
    }
  });

  it('the first report of a session reaches both nodes, and makes one session that is open', async () => {
    for (let round = 0; round < 25; round++) {
      const access = await someAccess(store());
      const start = from(access, macOf(round), { upload_octets: 7 });
      await Promise.all([1, 2, 3].map(() => recordAccounting(store(), [start], NOW)));
      expect(await openSessions(store(), access.credential.id)).toHaveLength(1);
      const entitlement = await getEntitlement(store(), access.entitlement.id);
      expect(entitlement.used_upload_octets).toBe(7);
    }
  });

  it('different reports of a new session reach the nodes, and each counts', async () => {
    for (let round = 0; round < 25; round++) {
      const access = await someAccess(store());
      const told = [0, 60, 120].map((seconds) =>
        from(access, macOf(round), {
          ...{ kind: seconds === 0 ? 'start' : 'interim', session_seconds: seconds },
          ...{ upload_octets: 120 - seconds, download_octets: seconds, at: NOW + seconds * 1000 },
        }),
      );
      await Promise.all(told.map((one) => recordAccounting(store(), [one], NOW)));
      expect(await getEntitlement(store(), access.entitlement.id)).toMatchObject({
        ...{ used_seconds: 120, used_upload_octets: 120, used_download_octets: 120 },
      });
    }
  });

  it('a batch is cancelled while its vouchers are redeemed: each is one or the other', async () => {
    const { batchId, codes } = await someVouchers(store(), 20);
    const [, ...answers] = await Promise.all([
      cancelVoucherBatch(store(), batchId),
      ...codes.map((code) => redeemVoucher(store(), vault, code, null, NOW)),
    ]);
    const redeemed = answers.filter((answer) => answer.redeemed).length;
    expect(await getVoucherBatch(store(), batchId)).toMatchObject({
      state: 'cancelled',
      redeemed,
      cancelled: 20 - redeemed,
    });
    const states = await store().selectFrom('vouchers').select('state').execute();
    expect(states.filter(({ state }) => state === 'redeemed')).toHaveLength(redeemed);
    expect(states.filter(({ state }) => state === 'cancelled')).toHaveLength(20 - redeemed);
  });

  it('a device asks by its address at both nodes as its plan runs out: it ends once, the next one counts', async () => {
    const access = await someAccess(store());
    const next = await access.grant();
    await store().updateTable('credentials').set({ device_mac: MAC }).execute();
    await startEntitlement(store(), access.entitlement.id, NOW);
    const at = (now: number, trusted = true) => currentDeviceAccess(store(), MAC, now, trusted);
    expect((await at(NOW + HOUR - 1))?.entitlement?.id).toBe(access.entitlement.id);
    expect((await at(NOW + HOUR, false))?.entitlement?.id).toBe(access.entitlement.id);
    const found = await Promise.all([at(NOW + HOUR), at(NOW + HOUR), at(NOW + HOUR)]);
    expect(found.map((one) => one?.entitlement?.id)).toEqual([next.id, next.id, next.id]);
    expect(await tasks('enforce')).toEqual([{ credential_id: access.credential.id, reason: 'expired' }]);
    expect(await currentDeviceAccess(store(), macOf(9), NOW, true)).toBeUndefined();
  });

  it('silent sessions are closed once with what they last told, those that speak are left', async () => {
    const access = await someAccess(store(), { max_devices: 3 });
    const other = await someAccess(store());
    await recordAccounting(
      store(),
      [
        from(access, macOf(1), { at: NOW - 5 * MINUTE }),
        from(access, macOf(2), { at: NOW }),
        from(other, macOf(3), { at: NOW - 5 * MINUTE, router_id: 'router-2' }),
      ],
      NOW,
    );
    const closed = await Promise.all(
      [1, 2].map(() => closeSilentSessions(store(), access.credential.id, NOW - MINUTE)),
    );
    expect(closed.flat()).toMatchObject([
      { mac: macOf(1), state: 'closed', stopped_at: NOW - 5 * MINUTE, terminate_cause: null },
    ]);
    expect(await closeSessionsBeforeBoot(store(), 'router-1', NOW - 2 * MINUTE)).toEqual([]);
    const booted = await Promise.all([1, 2].map(() => closeSessionsBeforeBoot(store(), 'router-1', NOW + 1)));
    expect(booted.flat().map(({ mac }) => mac)).toEqual([macOf(2)]);
    const stale = await Promise.all([1, 2].map(() => closeStaleSessions(store(), NOW)));
    expect(stale.flat().map(({ mac }) => mac)).toEqual([macOf(3)]);
  });

  it('the job that ends entitlements runs at both nodes, and ends each once', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 12; n++) {
      const { entitlement } = await someAccess(store());
      await startEntitlement(store(), entitlement.id, NOW + n);
      ids.push(entitlement.id);
    }
    await endEntitlements(jobAt(NOW + HOUR + 20, false) as JobContext);
    expect(await tasks('enforce')).toEqual([]);
    await endEntitlements(jobAt(NOW + HOUR + 5) as JobContext);
    expect(await tasks('enforce')).toHaveLength(6);
    await Promise.all([1, 2, 3].map(() => endEntitlements(jobAt(NOW + HOUR + 20) as JobContext)));
    expect(await tasks('enforce')).toHaveLength(12);
    for (const id of ids) {
      expect(await getEntitlement(store(), id)).toMatchObject({ state: 'ended', end_reason: 'expired' });
    }
  });

  it('the job that ends hours finds who is online outside them', async () => {
    // NOW is 11:00 in Nairobi.
    const morning = { hours_from_minute: 8 * 60, hours_to_minute: 12 * 60, validity_seconds: 86_400 };
    const access = await someAccess(store(), morning);
    await startEntitlement(store(), access.entitlement.id, NOW);
    await recordAccounting(store(), [from(access, MAC)], NOW);
    await endHours(jobAt(NOW + HOUR - 1));
    expect(await tasks('enforce')).toEqual([]);
    expect(await credentialsOutsideHours(store(), NOW + HOUR + MINUTE, 0)).toEqual([access.credential.id]);
    const outside = (graceMs: number) => credentialsOutsideHours(store(), NOW + HOUR + MINUTE, graceMs);
    expect(await outside(MINUTE)).toHaveLength(1);
    expect(await outside(MINUTE + 1)).toEqual([]);
    // What was told to end since the hours did is on its way; what was told before that is not.
    const disconnectedAt = (at: number) =>
      store().updateTable('sessions').set({ disconnect_at: at }).execute();
    await disconnectedAt(NOW + HOUR);
    expect(await outside(0)).toEqual([]);
    await disconnectedAt(NOW + HOUR - 1);
    expect(await outside(0)).toHaveLength(1);
    await endHours(jobAt(NOW + HOUR + MINUTE));
    expect(await tasks('enforce')).toEqual([
      { credential_id: access.credential.id, reason: 'outside_hours' },
    ]);
  });
});
