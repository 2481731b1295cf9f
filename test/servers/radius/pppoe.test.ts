// Sign-in methods of PPPoE servers and of switches, over real sockets.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { attribute, getOctets, getString, hasAttribute } from '../../../src/protocols/radius/attributes.ts';
import { challengeHash, ntPasswordHash, ntResponse } from '../../../src/protocols/radius/mschap.ts';
import { type Attribute, Code, type Packet } from '../../../src/protocols/radius/packet.ts';
import { someAccess } from '../../access/fixtures.ts';
import { MAC, SECRET, startRadius } from './fixtures.ts';

let radius: Awaited<ReturnType<typeof startRadius>>;

beforeEach(async () => {
  radius = await startRadius();
});
afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  await radius.db.destroy();
});

async function ask(username: string, proof: Attribute[]): Promise<Packet> {
  const answer = await radius.requester.request({
    host: '127.0.0.1',
    port: radius.bound.auth.port,
    secret: SECRET,
    code: Code.AccessRequest,
    messageAuthenticator: true,
    requireMessageAuthenticator: true,
    attempts: 1,
    timeoutMs: 10_000,
    attributes: [attribute('User-Name', username), attribute('Calling-Station-Id', MAC), ...proof],
  });
  if (!('packet' in answer)) throw new Error('no answer');
  return answer.packet;
}

function msChap2(username: string, password: string): Attribute[] {
  const challenge = Buffer.alloc(16, 7);
  const peer = Buffer.alloc(16, 9);
  const response = ntResponse(
    challengeHash(peer, challenge, Buffer.from(username)),
    ntPasswordHash(password),
  );
  const value = Buffer.concat([Buffer.from([3, 0]), peer, Buffer.alloc(8), response]);
  return [attribute('MS-CHAP-Challenge', challenge), attribute('MS-CHAP2-Response', value)];
}

it('MS-CHAPv2 gets in, with the Success its client waits for', async () => {
  const { credential } = await someAccess(radius.db);
  const accept = await ask(credential.username, msChap2(credential.username, 'secret'));
  expect(accept.code).toBe(Code.AccessAccept);
  const success = getOctets(accept, 'MS-CHAP2-Success') as Buffer;
  expect(success[0]).toBe(3);
  expect(success.subarray(1).toString()).toMatch(/^S=[0-9A-F]{40}$/);
  expect(hasAttribute(accept, 'Class')).toBe(true);
});

it('MS-CHAPv2 with a wrong password is refused in its own terms, without a Success', async () => {
  const { credential } = await someAccess(radius.db);
  const reject = await ask(credential.username, msChap2(credential.username, 'Secret'));
  expect(reject.code).toBe(Code.AccessReject);
  expect(getOctets(reject, 'MS-CHAP-Error')?.subarray(1).toString()).toMatch(
    /^E=691 R=0 C=[0-9A-F]{32} V=3/i,
  );
  expect(hasAttribute(reject, 'MS-CHAP2-Success')).toBe(false);
});

it('EAP is answered with a Reject that says so', async () => {
  const { credential } = await someAccess(radius.db);
  const reject = await ask(credential.username, [attribute('EAP-Message', Buffer.from([2, 1, 0, 5, 1]))]);
  expect(reject.code).toBe(Code.AccessReject);
  expect(getString(reject, 'Reply-Message')).toContain('not possible here');
  expect(radius.signIns.list()[0]).toMatchObject({ reason: 'unsupported_method' });
});
