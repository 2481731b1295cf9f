// The attack of CVE-2024-3596 (BlastRADIUS): what somebody between router and server may send, and what they get.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { updateRouter } from '../../../src/network/routers.ts';
import { attribute } from '../../../src/protocols/radius/attributes.ts';
import { Code, decodePacket, encodeRequest, verifyReply } from '../../../src/protocols/radius/packet.ts';
import { hidePassword } from '../../../src/protocols/radius/passwords.ts';
import { openUdp, type UdpSocket } from '../../../src/protocols/radius/udp.ts';
import { NOW, someAccess, vault } from '../../access/fixtures.ts';
import { SECRET, startRadius } from './fixtures.ts';

let radius: Awaited<ReturnType<typeof startRadius>>;
let socket: UdpSocket;
let replies: Buffer[];
let username: string;

beforeEach(async () => {
  radius = await startRadius();
  replies = [];
  socket = await openUdp({
    host: '127.0.0.1',
    port: 0,
    onError: (error) => {
      throw error;
    },
    onMessage: (datagram) => void replies.push(datagram),
  });
  username = (await someAccess(radius.db)).credential.username;
});
afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  await socket.close();
  await radius.db.destroy();
});

let count = 0;
/** The two blocks of a collision that the attacker puts where the server will copy them: RFC 2865 §5.33. */
const GIBBERISH = [
  attribute('Proxy-State', Buffer.alloc(240, 0x5a)),
  attribute('Proxy-State', Buffer.alloc(180, 0xa5)),
];

/** An Access-Request of the router, as the attacker lets it through: `signed` says whether its signature is still there. */
function login(signed: boolean, more = GIBBERISH, password = 'wrong') {
  const authenticator = Buffer.alloc(16, ++count);
  return encodeRequest(
    {
      code: Code.AccessRequest,
      identifier: count % 256,
      authenticator,
      attributes: [
        attribute('User-Name', username),
        attribute('User-Password', hidePassword(password, SECRET, authenticator)),
        attribute('NAS-IP-Address', '127.0.0.1'),
        ...more,
      ],
    },
    SECRET,
    { messageAuthenticator: signed },
  );
}

const send = (request: { bytes: Buffer }) => socket.send(request.bytes, '127.0.0.1', radius.bound.auth.port);
const missing = () => radius.listeners.counters.silences.message_authenticator_missing;

async function expectSilence(request: { bytes: Buffer }): Promise<void> {
  const [before, answered] = [missing(), replies.length];
  send(request);
  await vi.waitFor(() => expect(missing()).toBe(before + 1), { interval: 2 });
  expect(replies).toHaveLength(answered);
  expect(radius.listeners.counters.access_accepts).toBe(0);
}

async function expectReply(request: ReturnType<typeof login>): Promise<Buffer> {
  const before = replies.length;
  send(request);
  await vi.waitFor(() => expect(replies.length).toBe(before + 1), { interval: 2 });
  const reply = replies.at(-1) as Buffer;
  expect(verifyReply(reply, request, SECRET)).toBeDefined();
  return reply;
}

async function demand(message_authenticator: 'auto' | 'yes' | 'no'): Promise<void> {
  await updateRouter(radius.db, vault, radius.router.id, { message_authenticator }, NOW);
  await radius.listeners.reloadRouters();
}

/** The box is switched off and on: new listeners on the store that is left. */
async function restart(): Promise<void> {
  await radius.listeners.stop();
  radius.listeners = radius.again();
  radius.bound = await radius.listeners.start();
}

describe('a request stripped of its signature', () => {
  it('with gibberish to copy gets nothing from a router that must sign', async () => {
    await demand('yes');
    await expectSilence(login(false));
    await expectSilence(login(false, []));
    await restart();
    await expectSilence(login(false, []));
  });

  it('with gibberish to copy gets nothing while it is not known whether the router signs', async () => {
    await expectSilence(login(false));
    expect((await expectReply(login(false, [])))[0]).toBe(Code.AccessReject);
  });

  it.each(['stopped in good order', 'cut off from its power'])(
    'gets nothing once the router signed, also after the box was %s',
    async (how) => {
      await expectReply(login(true, []));
      await expectSilence(login(false, []));
      if (how.startsWith('cut')) {
        // What the job of every ten seconds writes; nothing of the first process is asked again.
        await radius.listeners.recordHeard();
        const first = radius.listeners;
        radius.listeners = radius.again();
        radius.bound = await radius.listeners.start();
        await expectSilence(login(false, []));
        await first.stop();
      } else {
        await restart();
        await expectSilence(login(false, []));
      }
      expect((await expectReply(login(true, [])))[0]).toBe(Code.AccessReject);
    },
  );

  it('is answered where the operator says no, and no longer when that is taken back', async () => {
    await expectReply(login(true, []));
    await demand('no');
    await expectReply(login(false, []));
    await restart();
    await demand('auto');
    await expectSilence(login(false, []));
  });
});

it('every answer has its signature before anything that the asker chose', async () => {
  await demand('no');
  for (const request of [login(false), login(true), login(false, GIBBERISH, 'secret')]) {
    const reply = await expectReply(request);
    expect([...reply.subarray(20, 22)]).toEqual([80, 18]);
    const packet = decodePacket(reply);
    const copied = packet?.attributes.filter(({ type, vendor }) => type === 33 && vendor === 0);
    expect(copied?.map(({ value }) => value.length)).toEqual([240, 180]);
  }
});
