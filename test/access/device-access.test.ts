// Which access a device may use by its MAC address alone, on every store.
import { expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { createCredential } from '../../src/access/credentials.ts';
import { currentDeviceAccess, currentSharedAccess, hasFreePlace } from '../../src/access/device-access.ts';
import { revokeEntitlement, startEntitlement } from '../../src/access/entitlements.ts';
import { giveWay, recordDisconnect } from '../../src/access/sessions.ts';
import { onEveryStore } from '../support/stores.ts';
import { HOUR, NOW, report, someAccess, vault } from './fixtures.ts';

const FIRST = 'AA:BB:CC:00:00:01';
const SECOND = 'AA:BB:CC:00:00:02';
const macOf = (n: number) => `AA:BB:CC:00:02:${n.toString(16).toUpperCase().padStart(2, '0')}`;

type Access = Awaited<ReturnType<typeof someAccess>>;

onEveryStore('a device that knocks', (store) => {
  const shared = (mac: string, now = NOW, trusted = true) => currentSharedAccess(store(), mac, now, trusted);
  const credentialOf = async (mac: string) => (await shared(mac))?.credential_id;

  let signIns = 0;
  /** Signs in on a device as the router tells it; the session. */
  async function signIn(access: Access, mac: string, change: Parameters<typeof report>[0] = {}) {
    const { credential, entitlement } = access;
    const accept_id = `sign-in ${++signIns}`;
    const [session] = await recordAccounting(
      store(),
      [
        report({
          username: credential.username,
          acct_session_id: accept_id,
          mac,
          reference: { credential_id: credential.id, entitlement_id: entitlement.id, accept_id },
          ...change,
        }),
      ],
      NOW + signIns,
    );
    return session as NonNullable<typeof session>;
  }

  it('is known for the credential that was signed in with on it, and no other device is', async () => {
    const access = await someAccess(store(), { max_devices: 3 });
    await signIn(access, FIRST);
    expect(await shared(FIRST)).toMatchObject({
      credential_id: access.credential.id,
      entitlement: { id: access.entitlement.id, state: 'waiting' },
    });
    expect(await shared(SECOND)).toBeUndefined();
    // Nothing was bought on it.
    expect(await currentDeviceAccess(store(), FIRST, NOW, true)).toBeUndefined();
  });

  it('has a place while fewer other devices are online than the plan is for', async () => {
    const access = await someAccess(store(), { max_devices: 2 });
    await signIn(access, SECOND, { kind: 'stop', terminate_cause: 2 });
    await signIn(access, FIRST);
    const one = await shared(SECOND);
    expect([one?.other_devices, one && hasFreePlace(one)]).toEqual([1, true]);
    await signIn(access, macOf(3));
    const two = await shared(SECOND);
    expect([two?.other_devices, two && hasFreePlace(two)]).toEqual([2, false]);
    // Its own session that is still open takes no place from it.
    const own = await shared(FIRST);
    expect([own?.other_devices, own && hasFreePlace(own)]).toEqual([1, true]);
  });

  it.each<[string, (access: Access) => Promise<unknown>]>([
    [
      'gave its place up',
      async (access) => {
        const { id } = await signIn(access, SECOND);
        await store()
          .transaction()
          .execute((tx) => giveWay(tx, id, 'replaced_by_device', NOW));
      },
    ],
    [
      'a person of the operator’s disconnected',
      async (access) => {
        const { id } = await signIn(access, SECOND);
        await recordDisconnect(store(), id, 'ack', 'Disconnected by Amina: The router agreed.', NOW);
      },
    ],
    [
      'its own person signed out on',
      (access) => signIn(access, SECOND, { kind: 'stop', terminate_cause: 1 }),
    ],
  ])('that %s stays out until somebody signs in on it again', async (_, leave) => {
    const access = await someAccess(store(), { max_devices: 3 });
    await signIn(access, SECOND);
    await leave(access);
    expect(await shared(SECOND)).toBeUndefined();
    // What it has of another credential is not touched by that.
    const other = await someAccess(store());
    await signIn(other, SECOND);
    expect(await credentialOf(SECOND)).toBe(other.credential.id);
    await revokeEntitlement(store(), other.entitlement.id, 'test', NOW);
    expect(await shared(SECOND)).toBeUndefined();
    await signIn(access, SECOND);
    expect(await credentialOf(SECOND)).toBe(access.credential.id);
  });

  it('comes back after its session ended otherwise: lost, silent, or by the rules of its plan', async () => {
    const access = await someAccess(store());
    for (const cause of [2, 3, 4, 5, 6, 10]) {
      const { id } = await signIn(access, SECOND, { kind: 'stop', terminate_cause: cause });
      await recordDisconnect(store(), id, 'ack', 'outside_hours: The router agreed.', NOW);
      expect([cause, await credentialOf(SECOND)]).toEqual([cause, access.credential.id]);
    }
  });

  it('known to several uses what runs before what waits, then the newest sign-in', async () => {
    const accesses: Access[] = [];
    for (let n = 0; n < 4; n++) accesses.push(await someAccess(store()));
    const [early, late, runs, runsToo] = accesses as [Access, Access, Access, Access];
    for (const access of [runs, runsToo, early, late]) await signIn(access, SECOND);
    expect(await credentialOf(SECOND)).toBe(late.credential.id);
    await startEntitlement(store(), runs.entitlement.id, NOW);
    expect(await credentialOf(SECOND)).toBe(runs.credential.id);
    await startEntitlement(store(), runsToo.entitlement.id, NOW);
    expect(await credentialOf(SECOND)).toBe(runsToo.credential.id);
    // What has run out by now is ended, and the next is looked for.
    expect((await shared(SECOND, NOW + HOUR))?.credential_id).toBe(late.credential.id);
    const ended = store().selectFrom('entitlements').select('id').where('state', '=', 'ended');
    expect(await ended.execute()).toHaveLength(2);
  });

  it('is known by the sign-in that was last, not by the one that was heard of last', async () => {
    const access = await someAccess(store());
    await signIn(access, SECOND, { at: NOW + 60_000 });
    await signIn(access, SECOND, { kind: 'stop', terminate_cause: 1, session_seconds: 5, at: NOW + 5000 });
    expect(await credentialOf(SECOND)).toBe(access.credential.id);
  });

  it('goes on with what waits for its credential when the plan it came with is over', async () => {
    const access = await someAccess(store());
    await signIn(access, SECOND);
    await revokeEntitlement(store(), access.entitlement.id, 'test', NOW);
    expect(await shared(SECOND)).toBeUndefined();
    const next = await access.grant();
    expect((await shared(SECOND))?.entitlement?.id).toBe(next.id);
  });

  it('on which several were bought uses what runs before what waits, then the oldest', async () => {
    const accesses: Access[] = [];
    for (let n = 0; n < 3; n++) accesses.push(await someAccess(store()));
    await store().updateTable('credentials').set({ device_mac: FIRST }).execute();
    // Granted in one millisecond.
    accesses.sort((a, b) => (a.entitlement.id < b.entitlement.id ? -1 : 1));
    const [first, second, third] = accesses as [Access, Access, Access];
    const bought = async () => (await currentDeviceAccess(store(), FIRST, NOW, true))?.credential_id;
    expect(await bought()).toBe(first.credential.id);
    await startEntitlement(store(), third.entitlement.id, NOW);
    expect(await bought()).toBe(third.credential.id);
    await startEntitlement(store(), second.entitlement.id, NOW);
    expect(await bought()).toBe(second.credential.id);
  });

  it('has nothing by a credential that is switched off, or of a home on PPPoE', async () => {
    const access = await someAccess(store());
    await signIn(access, SECOND);
    const change = (to: { state?: 'active' | 'disabled'; kind?: 'hotspot' | 'pppoe' }) =>
      store().updateTable('credentials').set(to).execute();
    await change({ state: 'disabled' });
    expect(await shared(SECOND)).toBeUndefined();
    await change({ state: 'active', kind: 'pppoe' });
    expect(await shared(SECOND)).toBeUndefined();
    await change({ kind: 'hotspot' });
    expect(await credentialOf(SECOND)).toBe(access.credential.id);
  });

  it('that many have used is looked for among its newest sign-ins and purchases alone', async () => {
    const access = await someAccess(store());
    await signIn(access, SECOND);
    const passers = await someAccess(store());
    for (let n = 0; n < 19; n++) await signIn(passers, SECOND, { kind: 'stop', terminate_cause: 1 });
    expect(await credentialOf(SECOND)).toBe(access.credential.id);
    await signIn(passers, SECOND, { kind: 'stop', terminate_cause: 1 });
    expect(await shared(SECOND)).toBeUndefined();

    const { id } = access.credential;
    await store().updateTable('credentials').set({ device_mac: SECOND }).where('id', '=', id).execute();
    const bought = async () => (await currentDeviceAccess(store(), SECOND, NOW, true))?.credential_id;
    const more = (n: number) =>
      createCredential(
        store(),
        vault,
        {
          ...{ subscriber_id: access.subscriber.id, username: `more${n}`, password: 'x' },
          ...{ kind: 'hotspot', device_mac: SECOND },
        },
        NOW + 1 + n,
      );
    for (let n = 0; n < 19; n++) await more(n);
    expect(await bought()).toBe(id);
    await more(19);
    expect(await bought()).toBeUndefined();
  });

  it.each(['00:00:00:00:00:00', 'FF:FF:FF:FF:FF:FF', '01:00:5E:00:00:01'])(
    '%s is no device, whatever was bought or signed in with on it',
    async (mac) => {
      const access = await someAccess(store());
      await signIn(access, mac);
      await store().updateTable('credentials').set({ device_mac: mac }).execute();
      expect(await shared(mac)).toBeUndefined();
      expect(await currentDeviceAccess(store(), mac, NOW, true)).toBeUndefined();
    },
  );
});
