// Routers that are known by a prefix: whose packets are believed, and where Disconnect goes.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { disconnectSession } from '../../../src/network/enforce.ts';
import { createRouter, updateRouter } from '../../../src/network/routers.ts';
import { attribute, getString } from '../../../src/protocols/radius/attributes.ts';
import { AcctStatusType } from '../../../src/protocols/radius/dictionary.ts';
import {
  type Attribute,
  Code,
  decodePacket,
  encodeReply,
  encodeRequest,
  type Packet,
  verifyReply,
} from '../../../src/protocols/radius/packet.ts';
import { openUdp, type UdpSocket } from '../../../src/protocols/radius/udp.ts';
import { NOW, someAccess, vault } from '../../access/fixtures.ts';
import { MAC, SECRET, startRadius, told } from './fixtures.ts';

const OTHER_SECRET = Buffer.from('narrow-secret');

let radius: Awaited<ReturnType<typeof startRadius>>;
let sockets: UdpSocket[];

beforeEach(async () => {
  radius = await startRadius();
  sockets = [];
  await updateRouter(radius.db, vault, radius.router.id, { address: '127.0.0.9/8' }, NOW);
  await radius.listeners.reloadRouters();
});
afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  for (const socket of sockets) await socket.close();
  await radius.db.destroy();
});

/** A router at an address of its own: asks, and agrees to every Disconnect and CoA. */
async function routerAt(host: string, secret = SECRET) {
  const asked: Packet[] = [];
  const replies: Buffer[] = [];
  const socket = await openUdp({
    host,
    port: 0,
    onError: (error) => {
      throw error;
    },
    onMessage(datagram, address, port) {
      const packet = decodePacket(datagram);
      if (packet?.code !== Code.DisconnectRequest) replies.push(datagram);
      else {
        asked.push(packet);
        socket.send(encodeReply({ code: Code.DisconnectAck, attributes: [] }, packet, secret), address, port);
      }
    },
  });
  sockets.push(socket);
  let identifier = 0;

  async function ask(code: number, port: number, attributes: Attribute[]): Promise<Packet | undefined> {
    const request = encodeRequest({ code, identifier: ++identifier, attributes }, secret, {
      messageAuthenticator: code === Code.AccessRequest,
    });
    const before = replies.length;
    socket.send(request.bytes, '127.0.0.1', port);
    await vi.waitFor(() => expect(replies.length).toBeGreaterThan(before), { interval: 2 });
    return verifyReply(replies.at(-1) as Buffer, request, secret);
  }

  return {
    asked,
    socket,
    signIn: () => ask(Code.AccessRequest, radius.bound.auth.port, [attribute('User-Name', 'nobody')]),
    account: (status: keyof typeof AcctStatusType, more: Attribute[] = []) =>
      ask(Code.AccountingRequest, radius.bound.acct.port, [
        attribute('Acct-Status-Type', AcctStatusType[status]),
        ...more,
      ]),
  };
}

const session = (username: string, id = '80100014') => [
  attribute('User-Name', username),
  attribute('Acct-Session-Id', id),
  attribute('Calling-Station-Id', MAC),
];
const sessions = () => radius.db.selectFrom('sessions').selectAll().orderBy('username').execute();

describe('a prefix', () => {
  it('is stored by its network, and takes in every source in it', async () => {
    const { address } = await radius.db.selectFrom('routers').select('address').executeTakeFirstOrThrow();
    expect(address).toBe('127.0.0.0/8');
    const { credential } = await someAccess(radius.db);
    expect(told(await radius.logIn({ username: credential.username, password: 'secret' }))).toMatchObject({
      accept: true,
    });
    expect((await (await routerAt('127.0.0.2')).signIn())?.code).toBe(Code.AccessReject);
  });

  it('gives way to a narrower one and to an address, each with its own secret', async () => {
    const input = {
      name: 'Narrow',
      radius_secret: OTHER_SECRET.toString(),
      message_authenticator: 'auto',
      coa_port: 3799,
      api_port: 8728,
      api_tls: 0,
      api_username: null,
      hotspot_host: null,
      hotspot_interface: 'bridge',
      hotspot_network: '10.5.48.0/22',
    } as const;
    await createRouter(radius.db, vault, { ...input, address: '127.0.3.0/24' }, NOW);
    const third = Buffer.from('third');
    await createRouter(radius.db, vault, { ...input, address: '127.0.3.7', radius_secret: 'third' }, NOW);
    await radius.listeners.reloadRouters();
    expect((await (await routerAt('127.0.2.1')).signIn())?.code).toBe(Code.AccessReject);
    expect((await (await routerAt('127.0.3.8', OTHER_SECRET)).signIn())?.code).toBe(Code.AccessReject);
    expect((await (await routerAt('127.0.3.7', third)).signIn())?.code).toBe(Code.AccessReject);
  });

  it('written in two ways is one: the second is refused', async () => {
    const { id: _, created_at: __, ...router } = radius.router;
    const again = { ...router, name: 'Again', address: '127.5.5.5/8', api_password: null };
    await expect(createRouter(radius.db, vault, again, NOW)).rejects.toThrow(
      'Another router has the address 127.0.0.0/8',
    );
  });
});

describe('a session through a router of a prefix', () => {
  it('is ended where its packets last came from', async () => {
    const { credential } = await someAccess(radius.db);
    const [first, second] = [await routerAt('127.0.0.2'), await routerAt('127.0.0.3')];
    await first.account('Start', session(credential.username));
    expect(await sessions()).toMatchObject([{ nas_source: '127.0.0.2' }]);
    await second.account('Interim-Update', session(credential.username));
    const [moved, ...more] = await sessions();
    expect(more).toEqual([]);
    expect(moved?.nas_source).toBe('127.0.0.3');
    await radius.db.updateTable('routers').set({ coa_port: second.socket.port }).execute();
    const context = {
      db: radius.db,
      vault,
      clock: { now: () => NOW, monotonic: () => 0 },
      clockTrusted: () => true,
    };
    expect(moved && (await disconnectSession(context, moved, 'test'))).toMatchObject({
      disconnect_state: 'ack',
    });
    expect(second.asked.map((packet) => getString(packet, 'User-Name'))).toEqual([credential.username]);
    expect(first.asked).toEqual([]);
  });

  it('is not over when another router of the prefix restarts', async () => {
    const [first, second] = [await routerAt('127.0.0.2'), await routerAt('127.0.0.3')];
    await first.account('Start', session('one', 'a'));
    await second.account('Start', session('two', 'b'));
    radius.time.now = NOW + 1000;
    await second.account('Accounting-On');
    expect(await sessions()).toMatchObject([
      { username: 'one', state: 'open' },
      { username: 'two', state: 'closed', stopped_at: NOW + 1000 },
    ]);
  });

  it('is not that of another which counts its sessions alike', async () => {
    const [first, second] = [await routerAt('127.0.0.2'), await routerAt('127.0.0.3')];
    await first.account('Start', [...session('one'), attribute('NAS-IP-Address', '10.5.48.1')]);
    await second.account('Start', [...session('one'), attribute('NAS-IP-Address', '10.5.52.1')]);
    expect(await sessions()).toHaveLength(2);
  });
});

it('one of many routers signing its requests does not silence another that never did', async () => {
  await (await routerAt('127.0.0.2')).signIn();
  const plain = await radius.requester.request({
    host: '127.0.0.1',
    port: radius.bound.auth.port,
    secret: SECRET,
    code: Code.AccessRequest,
    attempts: 1,
    timeoutMs: 10_000,
    attributes: [attribute('User-Name', 'nobody')],
  });
  expect('packet' in plain && plain.packet.code).toBe(Code.AccessReject);
});
