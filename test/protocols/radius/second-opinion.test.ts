// Our codec and the npm package `radius` understand each other.
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { attribute, getOctets, getString } from '../../../src/protocols/radius/attributes.ts';
import {
  type Attribute,
  Code,
  encodeReply,
  encodeRequest,
  newAuthenticator,
  verifyMessageAuthenticator,
  verifyReply,
  verifyRequestAuthenticator,
} from '../../../src/protocols/radius/packet.ts';
import { checkPassword, hidePassword } from '../../../src/protocols/radius/passwords.ts';
import { type Chance, chance, read } from './material.ts';

type TheirAttribute = [number | string, Buffer | string | number, TheirAttribute[]?];
interface TheirPacket {
  code: string;
  identifier: number;
  authenticator: Buffer;
  attributes: Record<string, unknown>;
  raw_attributes: [number, Buffer][];
}
interface TheirCodec {
  decode(args: { packet: Buffer; secret: Buffer }): TheirPacket;
  encode(args: Record<string, unknown>): Buffer;
  encode_response(args: Record<string, unknown>): Buffer;
  verify_response(args: { request: Buffer; response: Buffer; secret: Buffer }): boolean;
}
const theirs = createRequire(import.meta.url)('radius') as TheirCodec;

const rounds = 300;
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789-ũé';
const word = (by: Chance, most: number) =>
  Array.from({ length: 1 + by.below(most) }, () => letters[by.below(letters.length)]).join('');

interface Login {
  secret: Buffer;
  identifier: number;
  authenticator: Buffer;
  name: string;
  password: string;
  address: string;
  port: number;
  plain: [number, Buffer][];
  vendors: [number, Buffer][];
  signed: boolean;
}

function randomLogin(by: Chance): Login {
  return {
    secret: by.octets(1 + by.below(80)),
    identifier: by.below(256),
    authenticator: newAuthenticator(),
    name: word(by, 40),
    password: word(by, 30),
    address: [...by.octets(4)].join('.'),
    port: by.below(2 ** 32),
    // 200 to 239 have no meaning to either side.
    plain: Array.from({ length: by.below(5) }, () => [200 + by.below(40), by.octets(1 + by.below(253))]),
    vendors: Array.from({ length: by.below(5) }, () => [1 + by.below(30), by.octets(1 + by.below(247))]),
    signed: by.below(2) === 1,
  };
}

function ours(login: Login, withPassword: boolean): Attribute[] {
  const hidden = () => hidePassword(login.password, login.secret, login.authenticator);
  return [
    attribute('User-Name', login.name),
    ...(withPassword ? [attribute('User-Password', hidden())] : []),
    attribute('NAS-IP-Address', login.address),
    attribute('NAS-Port', login.port),
    ...login.plain.map(([type, value]) => ({ type, vendor: 0, value })),
    ...login.vendors.map(([type, value]) => ({ type, vendor: 14988, value })),
  ];
}

function asTheirs(login: Login, withPassword: boolean): TheirAttribute[] {
  return [
    ['User-Name', login.name],
    ...(withPassword ? ([['User-Password', login.password]] as TheirAttribute[]) : []),
    ['NAS-IP-Address', login.address],
    ['NAS-Port', login.port],
    ...login.plain,
    ...login.vendors.map((one): TheirAttribute => ['Vendor-Specific', 14988, [one]]),
  ];
}

const onWire = ({ type, vendor, value }: Attribute): [number, Buffer] => {
  if (vendor === 0) return [type, value];
  const head = Buffer.from([0, 0, 0, 0, type, value.length + 2]);
  head.writeUInt32BE(vendor);
  return [26, Buffer.concat([head, value])];
};

test('they read every Access-Request we make, password and all', () => {
  const by = chance(1);
  for (let round = 0; round < rounds; round++) {
    const login = randomLogin(by);
    const packet = encodeRequest(
      { ...login, code: Code.AccessRequest, attributes: ours(login, true) },
      login.secret,
      { messageAuthenticator: login.signed && by.pick(['first', 'last'] as const) },
    );
    const read = theirs.decode({ packet: Buffer.from(packet.bytes), secret: login.secret });
    expect(read).toMatchObject({ code: 'Access-Request', identifier: login.identifier });
    expect(read.attributes['User-Name']).toBe(login.name);
    expect(read.attributes['NAS-IP-Address']).toBe(login.address);
    expect(read.attributes['NAS-Port']).toBe(login.port);
    // They decode a long password piecewise, which breaks a letter of two octets; ASCII is what both agree on.
    if (/^[ -~]*$/.test(login.password)) expect(read.attributes['User-Password']).toBe(login.password);
    expect(read.raw_attributes).toEqual(packet.attributes.map(onWire));
  }
});

test('we read every Access-Request they make, password and all', () => {
  const by = chance(2);
  for (let round = 0; round < rounds; round++) {
    const login = randomLogin(by);
    const packet = read(
      theirs.encode({
        ...login,
        code: 'Access-Request',
        attributes: asTheirs(login, true),
        add_message_authenticator: login.signed,
      }),
    );
    expect(packet.identifier).toBe(login.identifier);
    expect(getString(packet, 'User-Name')).toBe(login.name);
    expect(checkPassword(packet, login.secret, login.password)).toBe(true);
    expect(checkPassword(packet, login.secret, `${login.password}!`)).toBe(false);
    expect(verifyMessageAuthenticator(packet, login.secret)).toBe(login.signed);
    expect(
      packet.attributes.filter(({ vendor }) => vendor === 14988).map(({ type, value }) => [type, value]),
    ).toEqual(login.vendors);
  }
});

test('Accounting-Requests are signed alike, octet for octet', () => {
  const by = chance(3);
  for (let round = 0; round < rounds; round++) {
    const login = randomLogin(by);
    const packet = encodeRequest(
      { code: Code.AccountingRequest, identifier: login.identifier, attributes: ours(login, false) },
      login.secret,
    );
    const same = theirs.encode({
      code: 'Accounting-Request',
      identifier: login.identifier,
      secret: login.secret,
      attributes: asTheirs(login, false),
    });
    expect(packet.bytes.equals(same)).toBe(true);
    expect(verifyRequestAuthenticator(read(same), login.secret)).toBe(true);
    expect(theirs.decode({ packet: Buffer.from(packet.bytes), secret: login.secret }).code).toBe(
      'Accounting-Request',
    );
  }
});

test('each takes the replies of the other', () => {
  const by = chance(4);
  for (let round = 0; round < rounds; round++) {
    const login = randomLogin(by);
    const request = encodeRequest(
      { ...login, code: Code.AccessRequest, attributes: ours(login, true) },
      login.secret,
      { messageAuthenticator: login.signed },
    );
    const { secret } = login;
    const attributes = ours(login, false);
    const response = encodeReply({ code: Code.AccessAccept, attributes }, request, secret);
    expect(
      theirs.verify_response({
        request: Buffer.from(request.bytes),
        response: Buffer.from(response),
        secret,
      }),
    ).toBe(true);
    const reply = theirs.encode_response({
      packet: theirs.decode({ packet: Buffer.from(request.bytes), secret }),
      code: 'Access-Reject',
      attributes: asTheirs(login, false),
      secret,
    });
    const checked = verifyReply(reply, request, secret, { requireMessageAuthenticator: login.signed });
    expect(checked && getOctets(checked, 'User-Name')?.toString()).toBe(login.name);
    expect(verifyReply(reply, request, Buffer.from('another'))).toBeUndefined();
  }
});
