// Live sessions made to match what they are entitled to, on a router that answers, refuses, or is silent.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { endEntitlement, getEntitlement, startEntitlement } from '../../src/access/entitlements.ts';
import { getSession, openSessions } from '../../src/access/sessions.ts';
import type { Db } from '../../src/db/schema.ts';
import { newId } from '../../src/lib/ids.ts';
import { activateOrder } from '../../src/network/activate.ts';
import {
  disconnectSession,
  type EnforceContext,
  endSession,
  enforceCredential,
} from '../../src/network/enforce.ts';
import { attribute, getInteger, getString } from '../../src/protocols/radius/attributes.ts';
import {
  Code,
  decodePacket,
  encodeReply,
  type Packet,
  verifyRequestAuthenticator,
} from '../../src/protocols/radius/packet.ts';
import { openUdp, type UdpSocket } from '../../src/protocols/radius/udp.ts';
import { createRouterSimulator, type RouterSimulator } from '../../src/simulators/router/simulator.ts';
import { HOUR, NOW, report, someAccess, vault } from '../access/fixtures.ts';
import { MAC, SECRET, startRadius } from '../servers/radius/fixtures.ts';

type Answer = 'ack' | 'nak' | 'silence';

/** A router's door for Disconnect and CoA that answers as told and remembers what it was asked. */
async function startPeer() {
  const asked: Packet[] = [];
  const peer = { asked, answer: 'ack' as Answer, afterwards: undefined as Answer | undefined, cause: 503 };
  const socket: UdpSocket = await openUdp({
    host: '127.0.0.1',
    port: 0,
    onError: (error) => {
      throw error;
    },
    onMessage(datagram, address, port) {
      const packet = decodePacket(datagram);
      if (!packet || !verifyRequestAuthenticator(packet, SECRET)) return;
      asked.push(packet);
      const answer = asked.length > 1 ? (peer.afterwards ?? peer.answer) : peer.answer;
      if (answer === 'silence') return;
      const ack = packet.code === Code.DisconnectRequest ? Code.DisconnectAck : Code.CoaAck;
      const nak = packet.code === Code.DisconnectRequest ? Code.DisconnectNak : Code.CoaNak;
      const refused = answer === 'nak';
      const attributes = refused ? [attribute('Error-Cause', peer.cause)] : [];
      socket.send(encodeReply({ code: refused ? nak : ack, attributes }, packet, SECRET), address, port);
    },
  });
  return Object.assign(peer, { socket });
}

let radius: Awaited<ReturnType<typeof startRadius>>;
let peer: Awaited<ReturnType<typeof startPeer>>;
let db: Db;
let context: EnforceContext;
beforeEach(async () => {
  radius = await startRadius();
  peer = await startPeer();
  db = radius.db;
  await db.updateTable('routers').set({ coa_port: peer.socket.port }).execute();
  context = {
    db,
    vault,
    clock: { now: () => radius.time.now, monotonic: () => radius.time.now },
    clockTrusted: () => radius.time.trusted,
  };
});
afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  await peer.socket.close();
  await db.destroy();
});

/** A guest online on the plan. */
async function online() {
  const access = await someAccess(db);
  await startEntitlement(db, access.entitlement.id, NOW);
  const reference = {
    credential_id: access.credential.id,
    entitlement_id: access.entitlement.id,
    accept_id: 'a',
  };
  const [session] = await recordAccounting(
    db,
    [report({ username: access.credential.username, router_id: radius.router.id, mac: MAC, reference })],
    NOW,
  );
  if (!session) throw new Error('no session');
  return { ...access, session };
}

describe('an expired guest', () => {
  it('is disconnected by the session’s own names, and the answer is recorded', async () => {
    const { credential, entitlement, session } = await online();
    radius.time.now = NOW + HOUR;
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: true });
    const [asked] = peer.asked as [Packet];
    expect(asked.code).toBe(Code.DisconnectRequest);
    expect(getString(asked, 'User-Name')).toBe(credential.username);
    expect(getString(asked, 'Acct-Session-Id')).toBe('80100014');
    expect(getString(asked, 'Calling-Station-Id')).toBe(MAC);
    expect(await getSession(db, session.id)).toMatchObject({
      disconnect_state: 'ack',
      disconnect_detail: 'expired: The router agreed.',
      disconnect_at: NOW + HOUR,
    });
    expect(await getEntitlement(db, entitlement.id)).toMatchObject({ state: 'ended', end_reason: 'expired' });
  });

  it('whom the router will not let go is tried again later', async () => {
    const { credential, session } = await online();
    peer.answer = 'nak';
    radius.time.now = NOW + HOUR;
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: false });
    expect(await getSession(db, session.id)).toMatchObject({
      disconnect_state: 'nak',
      disconnect_detail: expect.stringContaining('Session-Context-Not-Found'),
    });
    peer.answer = 'ack';
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: true });
    expect((await getSession(db, session.id)).disconnect_state).toBe('ack');
  });

  it('whom two want to end at one moment is recorded as ended, though the second is told that there is no such session', async () => {
    const { session } = await online();
    peer.afterwards = 'nak';
    const both = await Promise.all(['one', 'two'].map((why) => disconnectSession(context, session, why)));
    expect(peer.asked).toHaveLength(2);
    expect(both.map((each) => each.disconnect_state)).toEqual(['ack', 'ack']);
    expect(await getSession(db, session.id)).toMatchObject({
      disconnect_state: 'ack',
      disconnect_detail: expect.stringContaining('The router agreed.'),
    });
    // What is asked anew is told anew.
    expect(await disconnectSession(context, session, 'three')).toMatchObject({ disconnect_state: 'nak' });
  });

  it('of a router that is silent is asked for three times, and stays to be done', async () => {
    const { credential, session } = await online();
    peer.answer = 'silence';
    radius.time.now = NOW + HOUR;
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: false });
    expect(peer.asked).toHaveLength(3);
    expect(new Set(peer.asked.map((packet) => packet.identifier)).size).toBe(1);
    expect(await getSession(db, session.id)).toMatchObject({ disconnect_state: 'timeout' });
  });

  it('of a router that was removed is recorded as failed', async () => {
    const { session } = await online();
    await db.deleteFrom('routers').execute();
    expect(await disconnectSession(context, session, 'expired')).toMatchObject({
      disconnect_state: 'failed',
    });
  });

  it('who is not online needs nothing', async () => {
    const { credential } = await someAccess(db);
    expect(await enforceCredential(context, credential.id, 'expired')).toEqual({
      outcome: 'No live session.',
      complete: true,
    });
    expect(peer.asked).toEqual([]);
  });
});

describe('a guest who may go on', () => {
  it('gets the next plan’s time and speed without a break, and uses it from there', async () => {
    const { credential, entitlement, grant, session } = await online();
    const next = await grant();
    radius.time.now = NOW + HOUR;
    await endEntitlement(db, entitlement.id, 'expired', radius.time.now);
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: true });
    const [asked] = peer.asked as [Packet];
    expect(asked.code).toBe(Code.CoaRequest);
    // Session-Timeout counts from the session's start: the hour that was, and the hour to come.
    expect(getInteger(asked, 'Session-Timeout')).toBe(7200);
    expect(getString(asked, 'Mikrotik-Rate-Limit')).toBe('2M/5M');
    expect(await getEntitlement(db, next.id)).toMatchObject({ state: 'active', ends_at: NOW + 2 * HOUR });
    expect(await getSession(db, session.id)).toMatchObject({
      entitlement_id: next.id,
      disconnect_state: null,
    });
    for (const [seconds, upload_octets] of [
      [3600, 400],
      [3700, 500],
    ] as const) {
      const at = NOW + seconds * 1000;
      const told = {
        ...report({ username: credential.username, router_id: radius.router.id, mac: MAC, at }),
        kind: 'interim' as const,
        reference: { credential_id: credential.id, entitlement_id: entitlement.id, accept_id: 'a' },
        upload_octets,
        session_seconds: seconds,
      };
      await recordAccounting(db, [told], at);
    }
    expect(await getEntitlement(db, next.id)).toMatchObject({ used_upload_octets: 100 });
    expect(await getEntitlement(db, entitlement.id)).toMatchObject({ used_upload_octets: 400 });
  });

  it('is left alone while the clock is behind', async () => {
    const { credential, session } = await online();
    radius.time.now = NOW + 9 * HOUR;
    radius.time.trusted = false;
    await enforceCredential(context, credential.id, 'test');
    expect(peer.asked.map((packet) => packet.code)).toEqual([Code.CoaRequest]);
    expect((await getSession(db, session.id)).disconnect_state).toBeNull();
  });
});

describe('a whole router', () => {
  let router: RouterSimulator;
  beforeEach(async () => {
    router = createRouterSimulator({
      radius: {
        host: '127.0.0.1',
        authPort: radius.bound.auth.port,
        acctPort: radius.bound.acct.port,
        secret: SECRET.toString(),
        timeoutMs: 5000,
      },
      portal: {
        loginUrl: 'http://portal.test/',
        statusUrl: 'http://portal.test/status',
        router: radius.router.id,
      },
      api: { username: 'karibu', password: 'api-password' },
      now: () => radius.time.now,
      tickMs: 0,
      ignoreLimits: true,
    });
    await router.start();
    await db
      .updateTable('routers')
      .set({
        coa_port: router.addresses.coa.port,
        api_port: router.addresses.api.port,
        api_username: 'karibu',
        api_password_sealed: vault.seal('api-password'),
      })
      .execute();
    router.addPhone({ mac: MAC, ip: '10.5.50.7' });
  });
  afterEach(() => router.stop());

  async function loggedIn() {
    const access = await someAccess(db);
    expect(await router.login(MAC, access.credential.username, 'secret')).toHaveProperty('session');
    await router.idle();
    const [session] = await openSessions(db, access.credential.id);
    expect(session).toMatchObject({ mac: MAC, entitlement_id: access.entitlement.id });
    return access;
  }

  it('lets go of the guest whose hour is over, though it does nothing by itself', async () => {
    const { credential } = await loggedIn();
    radius.time.now = NOW + HOUR;
    router.tick();
    expect(router.sessions()).toHaveLength(1);
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: true });
    await router.idle();
    expect(router.sessions()).toEqual([]);
    expect(await openSessions(db, credential.id)).toEqual([]);
    expect(await router.login(MAC, credential.username, 'secret')).not.toHaveProperty('session');
    expect(radius.signIns.list()[0]).toMatchObject({ reason: 'expired' });
  });

  it.each<[string, Answer, string]>([
    ['refuses', 'nak', 'expired: The router refused (Session-Context-Not-Found).'],
    ['is silent', 'silence', 'expired: The router did not answer.'],
  ])('that %s over RADIUS is told through its API', async (_, answer, told) => {
    const { credential } = await loggedIn();
    peer.answer = answer;
    await db.updateTable('routers').set({ coa_port: peer.socket.port }).execute();
    radius.time.now = NOW + HOUR;
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: true });
    await router.idle();
    expect(router.sessions()).toEqual([]);
    const [session] = await db.selectFrom('sessions').selectAll().execute();
    expect(session).toMatchObject({
      state: 'closed',
      disconnect_state: 'api',
      disconnect_detail: `${told} It was removed through the API.`,
    });
  });

  it('keeps the session that a device began since, where an older one of it that is not there any more must end', async () => {
    const { credential, entitlement } = await loggedIn();
    radius.time.now += 30_000;
    const accept_id = newId(NOW - 1000);
    const dead = { credential_id: credential.id, entitlement_id: entitlement.id, accept_id };
    const told = { username: credential.username, router_id: radius.router.id, mac: MAC, at: NOW - 500 };
    const [older] = await recordAccounting(
      db,
      [report({ ...told, acct_session_id: 'dead', reference: dead })],
      NOW + 20_000,
    );
    expect(older?.state).toBe('open');
    expect(await endSession(context, older!.id, 'credential_changed')).toMatchObject({ complete: false });
    expect(router.sessions()).toHaveLength(1);
    expect((await getSession(db, older!.id)).disconnect_detail).toContain('Its device has a newer session.');
    // Nor is that one kept for the sake of the older.
    const live = (await openSessions(db, credential.id)).find((session) => session.id !== older!.id);
    peer.answer = 'nak';
    await db.updateTable('routers').set({ coa_port: peer.socket.port }).execute();
    expect(await endSession(context, live!.id, 'credential_changed')).toMatchObject({ complete: true });
    expect(router.sessions()).toEqual([]);
  });

  it('keeps as many devices as the next plan is for where it needs sessions of its own', async () => {
    const { credential, grant } = await loggedIn();
    await db.updateTable('entitlements').set({ max_devices: 3 }).execute();
    for (const n of [8, 9]) {
      radius.time.now += 1000;
      const mac = `AA:BB:CC:00:01:0${n}`;
      router.addPhone({ mac, ip: `10.5.50.${n}` });
      await router.login(mac, credential.username, 'secret');
      await router.idle();
    }
    expect(await openSessions(db, credential.id)).toHaveLength(3);
    const next = await grant();
    const terms = { max_devices: 2, address_pool: 'fast' };
    await db.updateTable('entitlements').set(terms).where('id', '=', next.id).execute();
    radius.time.now = NOW + HOUR;
    await db.updateTable('entitlements').set({ ends_at: NOW }).where('state', '=', 'active').execute();
    await db.deleteFrom('tasks').execute();
    await enforceCredential(context, credential.id, 'expired');
    const sessions = await db.selectFrom('sessions').selectAll().orderBy('started_at').execute();
    expect(sessions.map((session) => session.gave_way_at !== null)).toEqual([false, false, true]);
  });

  it('logs a guest in who has just paid', async () => {
    const { credential } = await someAccess(db);
    const order = { credential_id: credential.id, router_id: radius.router.id, mac: MAC };
    expect(await activateOrder(context, order)).toMatchObject({
      outcome: expect.stringContaining('Logged in'),
      complete: true,
    });
    await router.idle();
    expect(router.sessions()).toHaveLength(1);
    expect(await openSessions(db, credential.id)).toHaveLength(1);
    // Again, as after a crash: nobody is logged in twice.
    await activateOrder(context, order);
    expect(router.sessions()).toHaveLength(1);
    const elsewhere = {
      ...order,
      mac: 'AA:BB:CC:00:00:99',
      credential_id: (await someAccess(db)).credential.id,
    };
    expect(await activateOrder(context, elsewhere)).toMatchObject({
      outcome: 'The device is not on the hotspot now.',
    });
  });
});
