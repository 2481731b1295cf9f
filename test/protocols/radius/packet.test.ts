// The codec: the RFCs' own packets, what is refused, what is signed.
import { describe, expect, test } from 'vitest';
import {
  attribute,
  getAll,
  getInteger,
  getOctets,
  getString,
} from '../../../src/protocols/radius/attributes.ts';
import {
  Code,
  decodePacket,
  encodeReply,
  encodeRequest,
  verifyMessageAuthenticator,
  verifyReply,
  verifyRequestAuthenticator,
} from '../../../src/protocols/radius/packet.ts';
import { plain, read, vector } from './material.ts';

const secret = Buffer.from('xyzzy5461');
const other = Buffer.from('xyzzy5462');
const header = (code: number, length: number) =>
  Buffer.from([code, 7, length >> 8, length & 255, ...Array(16).fill(9)]);
const withAttributes = (...octets: number[]) =>
  Buffer.concat([header(1, 20 + octets.length), Buffer.from(octets)]);

describe('the examples of the RFCs', () => {
  test.each(['rfc2865-7.1', 'rfc2865-7.2', 'rfc2865-7.3', 'rfc5997-6.1', 'rfc5997-6.2'])(
    'the reply of %s belongs to its request, with the right secret only',
    (name) => {
      const request = read(vector(`${name}-request`));
      expect(verifyReply(vector(`${name}-reply`), request, secret)).toBeDefined();
      expect(verifyReply(vector(`${name}-reply`), request, other)).toBeUndefined();
    },
  );

  test('the Message-Authenticator of RFC 5997 §6.1 and §6.2 is right, with the right secret only', () => {
    for (const name of ['rfc5997-6.1-request', 'rfc5997-6.2-request']) {
      expect(verifyMessageAuthenticator(read(vector(name)), secret)).toBe(true);
      expect(verifyMessageAuthenticator(read(vector(name)), other)).toBe(false);
    }
  });

  test('our Status-Server with the authenticator of RFC 5997 §6.1 is the same octets', () => {
    const example = vector('rfc5997-6.1-request');
    const ours = encodeRequest(
      {
        code: Code.StatusServer,
        identifier: 0xda,
        attributes: [],
        authenticator: read(example).authenticator,
      },
      secret,
    );
    expect(ours.bytes.equals(example)).toBe(true);
  });

  test('our reply to RFC 2865 §7.1 has its attributes behind a right Message-Authenticator', () => {
    const request = read(vector('rfc2865-7.1-request'));
    const example = read(vector('rfc2865-7.1-reply'));
    const reply = encodeReply(example, request, secret);
    const checked = verifyReply(reply, request, secret, { requireMessageAuthenticator: true });
    expect(checked?.attributes[0]?.type).toBe(80);
    expect(reply.subarray(38).equals(example.bytes.subarray(20))).toBe(true);
  });
});

describe('packets of FreeRADIUS’s radclient where RFC 2866 and RFC 5176 have no example', () => {
  const session = [attribute('User-Name', 'amina'), attribute('Acct-Session-Id', '80100014')];
  const [user, id] = session as [(typeof session)[0], (typeof session)[0]];
  const stop = [
    ...[user, attribute('Acct-Status-Type', 2), id, attribute('NAS-IP-Address', '10.5.48.1')],
    ...[attribute('Acct-Session-Time', 3600), attribute('Acct-Input-Octets', 0xffffffff)],
    ...[attribute('Acct-Input-Gigawords', 1), attribute('Acct-Output-Octets', 7)],
    attribute('Acct-Terminate-Cause', 5),
  ];
  const which = [
    ...[...session, attribute('Framed-IP-Address', '10.5.50.20')],
    ...[attribute('NAS-IP-Address', '10.5.48.1'), attribute('Calling-Station-Id', 'AA:BB:CC:00:00:01')],
  ];
  const change = [
    ...[...session, attribute('Session-Timeout', 7200)],
    attribute('Mikrotik-Rate-Limit', '2M/5M'),
  ];

  test.each([
    ['rfc2866-3', Code.AccountingRequest, Code.AccountingResponse, stop],
    ['rfc5176-3.1', Code.DisconnectRequest, Code.DisconnectAck, which],
    ['rfc5176-3.2', Code.CoaRequest, Code.CoaAck, change],
  ])('%s: read and signed alike, octet for octet', (name, code, replyCode, attributes) => {
    const request = read(vector(`${name}-request`));
    expect(verifyRequestAuthenticator(request, secret)).toBe(true);
    expect(verifyRequestAuthenticator(request, other)).toBe(false);
    const ours = encodeRequest({ code, identifier: request.identifier, attributes }, secret);
    expect(ours.bytes.toString('hex')).toBe(vector(`${name}-request`).toString('hex'));
    const reply = vector(`${name}-reply`);
    expect(verifyReply(reply, request, secret)?.code).toBe(replyCode);
    expect(verifyReply(reply, request, other)).toBeUndefined();
    const answer = encodeReply({ code: replyCode, attributes: [] }, request, secret);
    expect(answer.toString('hex')).toBe(reply.toString('hex'));
  });

  test.each(['rfc2866-3', 'rfc5176-3.1', 'rfc5176-3.2'])(
    '%s with any octet changed proves nothing',
    (name) => {
      const bytes = vector(`${name}-request`);
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 1;
        const packet = decodePacket(changed);
        expect(packet !== undefined && verifyRequestAuthenticator(packet, secret)).toBe(false);
      }
    },
  );
});

describe('a datagram is refused', () => {
  test.each([
    ['when it is empty', Buffer.alloc(0)],
    ['when it is shorter than a header', header(1, 20).subarray(0, 19)],
    ['when its length is below 20', header(1, 19)],
    ['when its length is beyond the datagram', header(1, 21)],
    [
      'when its length is over 4096',
      Buffer.concat([header(1, 4098), Buffer.alloc(4078).fill(Buffer.from([24, 2]))]),
    ],
    ['when an attribute has length 0', withAttributes(1, 0)],
    ['when an attribute has length 1', withAttributes(1, 1)],
    ['when an attribute is only a type', withAttributes(1)],
    ['when an attribute runs past the end', withAttributes(1, 4, 65)],
  ])('%s', (_, datagram) => {
    expect(decodePacket(datagram)).toBeUndefined();
  });
});

test('a packet of 4096 octets is read', () => {
  const bytes = Buffer.concat([header(1, 4096), Buffer.alloc(4076).fill(Buffer.from([24, 2]))]);
  expect(read(bytes).attributes).toHaveLength(2038);
});

test('octets after the length are padding and not part of the packet', () => {
  const packet = read(Buffer.concat([withAttributes(1, 3, 65), Buffer.from([1, 0, 0])]));
  expect(getString(packet, 'User-Name')).toBe('A');
  expect(packet.bytes).toHaveLength(23);
});

test('several sub-attributes in one Vendor-Specific attribute are split apart', () => {
  const packet = read(withAttributes(26, 15, 0, 0, 0x3a, 0x8c, 3, 3, 65, 3, 3, 66, 8, 3, 67));
  expect(getAll(packet, 'Mikrotik-Group').map(String)).toEqual(['A', 'B']);
  expect(getString(packet, 'Mikrotik-Rate-Limit')).toBe('C');
});

test.each([
  ['a sub-attribute runs past its end', [26, 9, 0, 0, 0x3a, 0x8c, 3, 9, 65]],
  ['the second sub-attribute is only a type', [26, 10, 0, 0, 0x3a, 0x8c, 3, 3, 65, 3]],
  ['a sub-attribute has length 0', [26, 8, 0, 0, 0x3a, 0x8c, 3, 0]],
  ['there is no vendor', [26, 4, 0, 0]],
  ['the vendor is 0', [26, 9, 0, 0, 0, 0, 1, 3, 65]],
])('a Vendor-Specific attribute stays opaque when %s', (_, octets) => {
  const packet = read(withAttributes(...octets));
  expect(plain(packet.attributes)).toEqual([{ type: 26, vendor: 0, value: Buffer.from(octets.slice(2)) }]);
  const again = encodeRequest({ ...packet, code: Code.AccessRequest }, secret);
  expect(again.bytes.equals(packet.bytes)).toBe(true);
});

describe('requests', () => {
  const attributes = [
    attribute('User-Name', 'amina'),
    attribute('Mikrotik-Host-IP', '10.5.50.2'),
    attribute('Acct-Session-Id', '80100014'),
  ];

  test.each([
    ['Accounting', Code.AccountingRequest],
    ['Disconnect', Code.DisconnectRequest],
    ['CoA', Code.CoaRequest],
  ])('the authenticator of a %s-Request proves secret and content', (_, code) => {
    for (const messageAuthenticator of [false, 'first', 'last'] as const) {
      const { bytes } = encodeRequest({ code, identifier: 3, attributes }, secret, { messageAuthenticator });
      expect(verifyRequestAuthenticator(read(bytes), secret)).toBe(true);
      expect(verifyRequestAuthenticator(read(bytes), other)).toBe(false);
      expect(verifyMessageAuthenticator(read(bytes), secret)).toBe(messageAuthenticator !== false);
      for (let at = 4; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1;
        const packet = decodePacket(changed);
        if (packet) expect(verifyRequestAuthenticator(packet, secret), `octet ${at}`).toBe(false);
      }
    }
  });

  test('an Access-Request differs each time and its Message-Authenticator covers every octet', () => {
    const request = { code: Code.AccessRequest, identifier: 3, attributes };
    const { bytes } = encodeRequest(request, secret, { messageAuthenticator: 'last' });
    expect(encodeRequest(request, secret).authenticator.equals(read(bytes).authenticator)).toBe(false);
    expect(read(bytes).attributes.at(-1)?.type).toBe(80);
    for (let at = 1; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x80;
      const packet = decodePacket(changed);
      if (packet) expect(verifyMessageAuthenticator(packet, secret), `octet ${at}`).toBe(false);
    }
  });

  test('a Message-Authenticator of another length, or twice, or none, is never right', () => {
    const { bytes } = encodeRequest({ code: 1, identifier: 3, attributes: [] }, secret, {
      messageAuthenticator: true,
    });
    const twice = Buffer.concat([bytes, bytes.subarray(20)]);
    twice.writeUInt16BE(twice.length, 2);
    for (const packet of [read(twice), read(withAttributes(80, 3, 1)), read(withAttributes())]) {
      expect(verifyMessageAuthenticator(packet, secret)).toBe(false);
    }
  });

  test('an authenticator whose non-UTF-8 octets are replaced is refused', () => {
    const { bytes } = encodeRequest({ code: Code.AccountingRequest, identifier: 3, attributes }, secret);
    const replaced = Buffer.from(bytes);
    for (let at = 4; at < 20; at++) if (replaced[at]! > 127) replaced[at] = replaced[at] === 255 ? 254 : 255;
    expect(replaced.equals(bytes)).toBe(false);
    expect(verifyRequestAuthenticator(read(replaced), secret)).toBe(false);
  });
});

describe('replies', () => {
  const request = encodeRequest(
    { code: Code.AccessRequest, identifier: 200, attributes: [attribute('User-Name', 'amina')] },
    secret,
  );

  test.each([Code.AccessAccept, Code.AccessReject, Code.AccessChallenge])(
    'an Access reply with code %i carries Message-Authenticator first, exactly once, and RouterOS would take it',
    (code) => {
      const attributes = [attribute('Session-Timeout', 60), { type: 80, vendor: 0, value: Buffer.alloc(16) }];
      const checked = verifyReply(encodeReply({ code, attributes }, request, secret), request, secret, {
        requireMessageAuthenticator: true,
      });
      expect(checked?.code).toBe(code);
      expect(checked?.identifier).toBe(200);
      expect(checked?.attributes.map(({ type }) => type)).toEqual([80, 27]);
    },
  );

  test('an Accounting-Response carries Message-Authenticator only when the request did', () => {
    for (const messageAuthenticator of [false, true]) {
      const asked = encodeRequest({ code: Code.AccountingRequest, identifier: 1, attributes: [] }, secret, {
        messageAuthenticator,
      });
      const reply = encodeReply({ code: Code.AccountingResponse, attributes: [] }, asked, secret);
      expect(reply).toHaveLength(messageAuthenticator ? 38 : 20);
      expect(verifyReply(reply, asked, secret)).toBeDefined();
    }
  });

  test('the Proxy-State of the request comes back in order', () => {
    const states = [attribute('Proxy-State', 'one'), attribute('Proxy-State', 'two')];
    const asked = encodeRequest({ code: Code.AccessRequest, identifier: 1, attributes: states }, secret);
    const reply = read(encodeReply({ code: Code.AccessReject, attributes: [] }, asked, secret));
    expect(getAll(reply, 'Proxy-State').map(String)).toEqual(['one', 'two']);
  });

  test('a reply is not taken when any octet differs', () => {
    const reply = encodeReply({ code: 2, attributes: [attribute('Class', 'abc')] }, request, secret);
    for (let at = 0; at < reply.length; at++) {
      const changed = Buffer.from(reply);
      changed[at]! ^= 0x40;
      expect(verifyReply(changed, request, secret), `octet ${at}`).toBeUndefined();
    }
  });

  test('a reply is not taken when its code cannot answer the request', () => {
    const wrong = encodeReply({ code: Code.AccountingResponse, attributes: [] }, request, secret);
    expect(verifyReply(wrong, request, secret)).toBeUndefined();
  });

  test('a reply without Message-Authenticator is not taken where one is required', () => {
    const bare = vector('rfc2865-7.1-reply');
    const asked = read(vector('rfc2865-7.1-request'));
    expect(verifyReply(bare, asked, secret, { requireMessageAuthenticator: true })).toBeUndefined();
  });

  test('a reply of 4096 octets is made, a longer one throws', () => {
    const filler = Array.from({ length: 15 }, () => attribute('Reply-Message', 'x'.repeat(253)));
    const rest = 4096 - 20 - 18 - 15 * 255;
    const fits = [...filler, attribute('Reply-Message', 'x'.repeat(rest - 2))];
    expect(encodeReply({ code: 3, attributes: fits }, request, secret)).toHaveLength(4096);
    const tooLong = [...filler, attribute('Reply-Message', 'x'.repeat(rest - 1))];
    expect(() => encodeReply({ code: 3, attributes: tooLong }, request, secret)).toThrow('4097');
  });

  test('an attribute over 255 octets on the wire throws instead of wrapping its length', () => {
    const long = { type: 8, vendor: 14988, value: Buffer.alloc(248) };
    expect(() => encodeReply({ code: 2, attributes: [long] }, request, secret)).toThrow(RangeError);
  });
});

test('values of a decoded packet are the octets sent, whatever they are', () => {
  const name = Buffer.from([0xff, 0xfe, 0x00, 0xc3]);
  const packet = encodeRequest(
    { code: 1, identifier: 1, attributes: [attribute('User-Name', name), attribute('NAS-Port', 2148532244)] },
    secret,
  );
  expect(getOctets(packet, 'User-Name')?.equals(name)).toBe(true);
  expect(getInteger(packet, 'NAS-Port')).toBe(0x80100014);
});
