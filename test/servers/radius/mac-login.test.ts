// Login by MAC address, as a hotspot with login-by=mac tries each device that appears.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordAccounting } from '../../../src/access/accounting.ts';
import { createCredential } from '../../../src/access/credentials.ts';
import { grantEntitlement } from '../../../src/access/entitlements.ts';
import { createSubscriber, updateSubscriber } from '../../../src/access/subscribers.ts';
import { updateRouter } from '../../../src/network/routers.ts';
import { attribute, getOctets } from '../../../src/protocols/radius/attributes.ts';
import { Code, type Packet } from '../../../src/protocols/radius/packet.ts';
import { HOUR, NOW, report, someAccess, somePlan, someVouchers, vault } from '../../access/fixtures.ts';
import { MAC, startRadius, told } from './fixtures.ts';

let radius: Awaited<ReturnType<typeof startRadius>>;

beforeEach(async () => {
  radius = await startRadius();
  await allow('yes');
});
afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  await radius.db.destroy();
});

async function allow(mac_login: 'yes' | 'no') {
  await updateRouter(radius.db, vault, radius.router.id, { mac_login }, NOW);
  await radius.listeners.reloadRouters();
}

/** Access that was bought on the device. */
async function bought() {
  const access = await someAccess(radius.db);
  await radius.db.updateTable('credentials').set({ device_mac: MAC }).execute();
  return access;
}

const ACCEPTED = { accept: true, session_timeout: 3600, rate_limit: '2M/5M', interim: 60 };
const NO_PLAN = { reject: 'No plan is running. Please buy one.' };
const UNKNOWN = { reject: 'Unknown code or user name. Check it and try again.' };

describe('a device whose plan was bought on it', () => {
  it.each([
    'AA:BB:CC:00:00:01',
    'AABB:CC00:0001',
    'AABBCC:000001',
    'AA-BB-CC-00-00-01',
    'AABBCC-000001',
    'AABBCC000001',
    'AA BB CC 00 00 01',
    'aa:bb:cc:00:00:01',
    'aabb:cc00:0001',
    'aabbcc:000001',
    'aa-bb-cc-00-00-01',
    'aabbcc-000001',
    'aabbcc000001',
    'aa bb cc 00 00 01',
  ])(
    'gets in as %s, with no password, the address again or a fixed text, by PAP and CHAP',
    async (spelled) => {
      await bought();
      for (const method of ['pap', 'chap'] as const) {
        for (const password of ['', spelled, 'mac-auth']) {
          expect(told(await radius.logIn({ username: spelled, password, method, mac: spelled }))).toEqual(
            ACCEPTED,
          );
        }
      }
    },
  );

  it('gets in when the router spells the two differently', async () => {
    await bought();
    expect(told(await radius.logIn({ username: 'aabbcc-000001', password: '' }))).toEqual(ACCEPTED);
  });

  it('gets in after a voucher was redeemed on it', async () => {
    const { codes } = await someVouchers(radius.db, 1);
    await radius.logIn({ username: codes[0] as string, password: '' });
    radius.time.now += HOUR / 2;
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toMatchObject({
      session_timeout: 1800,
    });
  });

  it('does not while the router is not allowed it', async () => {
    await bought();
    await allow('no');
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual(UNKNOWN);
  });

  it('does not when another device asks with its address', async () => {
    await bought();
    expect(told(await radius.logIn({ username: MAC, password: '', mac: 'AA:BB:CC:00:00:02' }))).toEqual(
      UNKNOWN,
    );
    expect(told(await radius.logIn({ username: MAC, password: '', mac: '' }))).toEqual(UNKNOWN);
  });

  it('does not once the plan is over, unless another of its plans waits', async () => {
    const { plan } = await bought();
    await radius.logIn({ username: MAC, password: '' });
    radius.time.now = NOW + HOUR;
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual(NO_PLAN);
    const subscriber = await createSubscriber(radius.db, NOW);
    const credential = await createCredential(
      radius.db,
      vault,
      { subscriber_id: subscriber.id, username: 'second', password: 'x', kind: 'hotspot', device_mac: MAC },
      NOW,
    );
    const grant = {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan,
      source: 'grant',
    } as const;
    await grantEntitlement(radius.db, grant, radius.time.now);
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual(ACCEPTED);
  });

  it('does not by a credential that is switched off', async () => {
    await bought();
    await radius.db.updateTable('credentials').set({ state: 'disabled' }).execute();
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual(NO_PLAN);
  });

  it('does not while its subscriber is suspended', async () => {
    const { subscriber } = await bought();
    await updateSubscriber(radius.db, subscriber.id, { state: 'suspended' }, NOW);
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual({
      reject: expect.stringContaining('suspended'),
    });
  });
});

describe('a device with several plans, of which the first keeps it out,', () => {
  /** Of a subscriber who is suspended, on the device. */
  async function withheld() {
    const access = await bought();
    await updateSubscriber(radius.db, access.subscriber.id, { state: 'suspended' }, NOW);
  }

  it('gets in by another that was bought on it', async () => {
    await withheld();
    await radius.db.updateTable('credentials').set({ username: 'first' }).execute();
    await bought();
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual(ACCEPTED);
  });

  it('gets in by another one’s, where it has signed in with that and there is a free place', async () => {
    await withheld();
    const friend = await someAccess(radius.db);
    const [session] = await recordAccounting(
      radius.db,
      [
        report({
          ...{ username: friend.credential.username, mac: MAC },
          ...{ kind: 'stop', terminate_cause: 2 },
        }),
      ],
      NOW,
    );
    expect(session?.credential_id).toBe(friend.credential.id);
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual(ACCEPTED);
    await recordAccounting(
      radius.db,
      [report({ username: friend.credential.username, mac: 'AA:BB:CC:00:00:02', acct_session_id: 'other' })],
      NOW,
    );
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual({
      reject: 'This account is suspended. Please ask the operator.',
    });
  });
});

it('a device that bought nothing is told to buy, however often it comes, and is not locked out', async () => {
  await somePlan(radius.db);
  for (let n = 0; n < 12; n++) {
    expect(told(await radius.logIn({ username: MAC, password: '' }))).toEqual(NO_PLAN);
  }
  expect(radius.signIns.list()[0]).toMatchObject({ reason: 'no_entitlement', mac: MAC });
  expect(radius.listeners.lockouts()).toEqual([]);
});

it('its accounting, under the address as user name, belongs to whoever paid', async () => {
  const { credential, entitlement, subscriber } = await bought();
  const accept = (await radius.logIn({ username: MAC, password: '' })) as Packet;
  const answer = await radius.account('Interim-Update', [
    attribute('User-Name', MAC),
    attribute('Acct-Session-Id', '80100014'),
    attribute('Calling-Station-Id', MAC),
    attribute('Class', getOctets(accept, 'Class') as Buffer),
    attribute('Acct-Session-Time', 60),
    attribute('Acct-Input-Octets', 1000),
  ]);
  expect(answer?.code).toBe(Code.AccountingResponse);
  expect(await radius.db.selectFrom('sessions').selectAll().execute()).toMatchObject([
    {
      username: MAC,
      credential_id: credential.id,
      subscriber_id: subscriber.id,
      entitlement_id: entitlement.id,
    },
  ]);
  expect(await radius.db.selectFrom('entitlements').selectAll().execute()).toMatchObject([
    { state: 'active', used_seconds: 60, used_upload_octets: 1000 },
  ]);
});
