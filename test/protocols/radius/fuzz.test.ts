// Twenty thousand mutated packets against the codec: nothing throws, nothing false is believed.
import { expect, test } from 'vitest';
import { attribute, getAddress, getInteger, getString } from '../../../src/protocols/radius/attributes.ts';
import {
  Code,
  decodePacket,
  encodeReply,
  encodeRequest,
  type Packet,
  verifyMessageAuthenticator,
  verifyReply,
  verifyRequestAuthenticator,
} from '../../../src/protocols/radius/packet.ts';
import { checkPassword, passwordMethod, revealPassword } from '../../../src/protocols/radius/passwords.ts';
import { chance, mutate, vector } from './material.ts';

const secret = Buffer.from('xyzzy5461');

/** What the server demands of a signed request; Message-Authenticator alone does not cover a computed authenticator. */
function believed(packet: Packet): boolean {
  return packet.code === Code.AccessRequest || packet.code === Code.StatusServer
    ? verifyMessageAuthenticator(packet, secret)
    : verifyRequestAuthenticator(packet, secret);
}

test('a mutated packet is refused or read, and believed only where it was not changed', () => {
  const by = chance(3576);
  const request = encodeRequest(
    {
      code: Code.AccountingRequest,
      identifier: 7,
      attributes: [
        attribute('User-Name', 'amina'),
        attribute('Mikrotik-Host-IP', '10.1.2.3'),
        attribute('Class', by.octets(40)),
      ],
    },
    secret,
    { messageAuthenticator: true },
  );
  const asked = encodeRequest({ code: 1, identifier: 7, attributes: [] }, secret, {
    messageAuthenticator: true,
  });
  const seeds = [
    request.bytes,
    asked.bytes,
    encodeReply({ code: 2, attributes: [attribute('Mikrotik-Rate-Limit', '2M/5M')] }, asked, secret),
    vector('rfc2865-7.1-request'),
    vector('rfc2865-7.2-request'),
    vector('rfc2865-7.3-reply'),
    vector('rfc5997-6.1-request'),
    Buffer.concat([
      Buffer.from([1, 1, 0, 35]),
      by.octets(16),
      Buffer.from([26, 15, 0, 0, 58, 140, 3, 3, 65, 3, 3, 66, 8, 3, 67]),
    ]),
  ];
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const seed = by.pick(seeds);
    const bytes = mutate(seed, by);
    const packet = decodePacket(bytes);
    if (!packet) {
      refused++;
      continue;
    }
    const same = packet.bytes.equals(seed);
    const length = packet.attributes.reduce((sum, { value }) => sum + value.length, 0);
    expect(length).toBeLessThanOrEqual(packet.bytes.length - 20);
    getString(packet, 'User-Name');
    getInteger(packet, 'NAS-Port');
    getAddress(packet, 'NAS-IP-Address');
    passwordMethod(packet);
    revealPassword(packet, secret);
    checkPassword(packet, secret, 'arctangent');
    if (!same) {
      expect(believed(packet)).toBe(false);
      expect(verifyReply(bytes, asked, secret)).toBeUndefined();
    }
    // What was read can be written: it fits in what it came in, split sub-attributes aside.
    const again = encodeRequest({ ...packet, code: Code.AccessRequest }, secret);
    const values = (attributes: typeof packet.attributes) =>
      attributes
        .filter(({ type, vendor }) => type !== 80 || vendor !== 0)
        .map(({ type, vendor, value }) => `${vendor}/${type}=${value.toString('hex')}`);
    expect(values(again.attributes)).toEqual(values(packet.attributes));
  }
  expect(refused).toBeGreaterThan(2_000);
  expect(refused).toBeLessThan(18_000);
});
