// MS-CHAP versions 1 and 2, with the keys for MPPE.
import { execFile } from 'node:child_process';
import { createCipheriv, createHash, getHashes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attribute, getInteger, getOctets } from '../../../src/protocols/radius/attributes.ts';
import { md4 } from '../../../src/protocols/radius/md4.ts';
import {
  challengeHash,
  msChapError,
  ntPasswordHash,
  ntResponse,
  verifyMsChap,
} from '../../../src/protocols/radius/mschap.ts';
import {
  type Attribute,
  Code,
  decodePacket,
  encodeReply,
  newAuthenticator,
} from '../../../src/protocols/radius/packet.ts';
import { checkPassword, passwordMethod } from '../../../src/protocols/radius/passwords.ts';
import { createRadiusServer, type RadiusServer } from '../../../src/protocols/radius/server.ts';
import { chance, plain, vectorLines } from './material.ts';

const secret = Buffer.from('xyzzy5461');
const user = Buffer.from('User');
const vectors1 = vectorLines('mschap1-rfc2433-b') as [Buffer, Buffer, Buffer];
const [challenge1, , response1] = vectors1;
const vectors2 = vectorLines('mschap2-rfc2759-9.2') as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];
const [challenge2, peerChallenge, hashOfChallenges, hash, hashOfHash, response2, success] = vectors2;

const request = (...attributes: Attribute[]) => ({ authenticator: newAuthenticator(), attributes });

/** A request of version 1 under ident 7, its flag asking for the NT response. */
function login1(challenge: Buffer, response: Buffer, ...more: Attribute[]) {
  const value = Buffer.concat([Buffer.from([7, 1]), Buffer.alloc(24), response]);
  return request(attribute('MS-CHAP-Challenge', challenge), attribute('MS-CHAP-Response', value), ...more);
}

/** A request of version 2 under ident 9. */
function login2(challenge: Buffer, peer: Buffer, response: Buffer, ...more: Attribute[]) {
  const value = Buffer.concat([Buffer.from([9, 0]), peer, Buffer.alloc(8), response]);
  return request(attribute('MS-CHAP-Challenge', challenge), attribute('MS-CHAP2-Response', value), ...more);
}

/** What a peer sends that hashes the name as it is given here. */
function peerLogin2(name: string, password: string, ...more: Attribute[]) {
  const hashed = challengeHash(peerChallenge, challenge2, Buffer.from(name));
  return login2(challenge2, peerChallenge, ntResponse(hashed, ntPasswordHash(password)), ...more);
}

const sha1 = (...parts: Buffer[]) => createHash('sha1').update(Buffer.concat(parts)).digest();
const md5 = (...parts: Buffer[]) => createHash('md5').update(Buffer.concat(parts)).digest();

/** GetNewKeyFromSHA (RFC 3079 §3.4), what a NAS makes of the start key. */
const sessionKey = (start: Buffer) =>
  sha1(start, Buffer.alloc(40), start, Buffer.alloc(40, 0xf2)).subarray(0, 16);

/** Takes the mask off from the last 16 octets to the first, which needs nothing but what is on the wire. */
function unmask(hidden: Buffer, first: Buffer): Buffer {
  const plain: Buffer[] = [];
  for (let at = hidden.length - 16; at >= 0; at -= 16) {
    const mask = md5(secret, at === 0 ? first : hidden.subarray(at - 16, at));
    plain.unshift(Buffer.from(mask.map((octet, i) => octet ^ hidden[at + i]!)));
  }
  return Buffer.concat(plain);
}

/** The key inside MS-MPPE-Send-Key or -Recv-Key, its padding checked (RFC 2548 §2.4.2). */
function revealKey(value: Buffer, authenticator: Buffer): Buffer {
  const salt = value.subarray(0, 2);
  expect(salt[0]! & 0x80).toBe(0x80);
  const plain = unmask(value.subarray(2), Buffer.concat([authenticator, salt]));
  expect(plain.subarray(1 + plain[0]!).every((octet) => octet === 0)).toBe(true);
  return plain.subarray(1, 1 + plain[0]!);
}

describe('MD4', () => {
  test('gives the digests of RFC 1320', () => {
    const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
    const messages = [
      '',
      'a',
      'abc',
      'message digest',
      upper.toLowerCase(),
      `${upper}${upper.toLowerCase()}0123456789`,
      '1234567890'.repeat(8),
    ];
    const digests = vectorLines('mschap-md4-rfc1320');
    expect(digests).toHaveLength(messages.length);
    for (const [i, message] of messages.entries()) {
      expect(md4(Buffer.from(message)).toString('hex'), message).toBe(digests[i]!.toString('hex'));
    }
  });

  test.skipIf(!getHashes().includes('md4'))('agrees with the runtime at every length up to 300', () => {
    const by = chance(1320);
    for (let length = 0; length <= 300; length++) {
      const message = by.octets(length);
      const expected = createHash('md4').update(message).digest('hex');
      expect(md4(message).toString('hex'), `${length}`).toBe(expected);
    }
  });
});

describe('the examples of the RFCs', () => {
  test('RFC 2433 appendix B: hash and response of version 1', () => {
    expect(ntPasswordHash('MyPw').equals(vectors1[1])).toBe(true);
    expect(ntResponse(challenge1, vectors1[1]).equals(response1)).toBe(true);
  });

  test('RFC 2759 §9.2: hashes, response and authenticator response of version 2', () => {
    expect(challengeHash(peerChallenge, challenge2, user).equals(hashOfChallenges)).toBe(true);
    expect(ntPasswordHash('clientPass').equals(hash)).toBe(true);
    expect(md4(hash).equals(hashOfHash)).toBe(true);
    expect(ntResponse(hashOfChallenges, hash).equals(response2)).toBe(true);
    const outcome = verifyMsChap(login2(challenge2, peerChallenge, response2), 'clientPass', user);
    expect(outcome).toMatchObject({ ok: true, version: 2 });
    expect(outcome.ok && plain(outcome.reply)).toEqual(
      plain([attribute('MS-CHAP2-Success', `\x09S=${success.toString('hex').toUpperCase()}`)]),
    );
  });

  test('RFC 2759 §9.3: the three DES keys are those with parity', () => {
    const keys = vectorLines('mschap-des-rfc2759-9.3');
    const blocks = keys.map((key) =>
      createCipheriv('des-ede3', Buffer.concat([key, key, key]), null)
        .setAutoPadding(false)
        .update(challenge1),
    );
    expect(Buffer.concat(blocks).equals(ntResponse(challenge1, ntPasswordHash('MyPw')))).toBe(true);
  });

  test('RFC 3079 §3.5.3: the keys of version 2 that a NAS finds in the reply', () => {
    const login = login2(challenge2, peerChallenge, response2);
    const outcome = verifyMsChap(login, 'clientPass', user, { mppe: true, secret });
    if (!outcome.ok) throw new Error('The password was not proved');
    const [, , sendStart, sendSession] = vectorLines('mschap-keys-rfc3079');
    const reply = { attributes: outcome.reply };
    const sendValue = getOctets(reply, 'MS-MPPE-Send-Key')!;
    const receiveValue = getOctets(reply, 'MS-MPPE-Recv-Key')!;
    const send = revealKey(sendValue, login.authenticator);
    expect(send.equals(sendStart!)).toBe(true);
    expect(sessionKey(send).equals(sendSession!)).toBe(true);
    const master = sha1(hashOfHash, response2, Buffer.from('This is the MPPE Master Key')).subarray(0, 16);
    const magic = 'On the client side, this is the send key; on the server side, it is the receive key.';
    const receive = sha1(master, Buffer.alloc(40), Buffer.from(magic), Buffer.alloc(40, 0xf2));
    expect(revealKey(receiveValue, login.authenticator).equals(receive.subarray(0, 16))).toBe(true);
    expect(sendValue.subarray(0, 2).equals(receiveValue.subarray(0, 2))).toBe(false);
    expect(getInteger(reply, 'MS-MPPE-Encryption-Policy')).toBe(1);
    expect(getInteger(reply, 'MS-MPPE-Encryption-Types')).toBe(4);
    expect(getOctets(reply, 'MS-CHAP2-Success')).toBeDefined();
  });

  test('RFC 3079 §2.5.3: the keys of version 1 that a NAS finds in the reply', () => {
    const login = login1(challenge1, ntResponse(challenge1, hash));
    const outcome = verifyMsChap(login, 'clientPass', user, { mppe: true, secret });
    if (!outcome.ok) throw new Error('The password was not proved');
    const keys = outcome.reply.find(({ vendor, type }) => vendor === 311 && type === 12)!;
    const plain = unmask(keys.value, login.authenticator);
    expect(plain).toHaveLength(32);
    expect(plain.subarray(24).equals(Buffer.alloc(8))).toBe(true);
    const forStrong = plain.subarray(8, 24);
    const start = sha1(forStrong, forStrong, challenge1).subarray(0, 16);
    const [expectedStart, expectedSession] = vectorLines('mschap-keys-rfc3079');
    expect(start.equals(expectedStart!)).toBe(true);
    expect(sessionKey(start).equals(expectedSession!)).toBe(true);
    expect(getInteger({ attributes: outcome.reply }, 'MS-MPPE-Encryption-Types')).toBe(4);
  });
});

test('keys are only sent when they are asked for', () => {
  const first = login1(challenge1, ntResponse(challenge1, hash));
  expect(verifyMsChap(first, 'clientPass', user)).toEqual({ ok: true, version: 1, reply: [] });
  const second = verifyMsChap(login2(challenge2, peerChallenge, response2), 'clientPass', user);
  expect(second.ok && second.reply.map(({ type }) => type)).toEqual([26]);
});

test('a reply with everything fits the wire and is read back', () => {
  const login = login2(challenge2, peerChallenge, response2);
  const outcome = verifyMsChap(login, 'clientPass', user, { mppe: true, secret });
  if (!outcome.ok) throw new Error('The password was not proved');
  const identity = { ...login, code: Code.AccessRequest, identifier: 1 };
  const packet = decodePacket(
    encodeReply({ code: Code.AccessAccept, attributes: outcome.reply }, identity, secret),
  );
  for (const { vendor, type, value } of outcome.reply) {
    expect(plain(packet!.attributes)).toContainEqual({ vendor, type, value });
  }
});

describe('the user name', () => {
  test.each(['User', 'BIGCO\\User'])(
    'may be hashed as %s when the peer sent it with its domain',
    (hashed) => {
      const outcome = verifyMsChap(
        peerLogin2(hashed, 'clientPass'),
        'clientPass',
        Buffer.from('BIGCO\\User'),
      );
      const signing = sha1(
        hashOfHash,
        ntResponse(challengeHash(peerChallenge, challenge2, Buffer.from(hashed)), hash),
        Buffer.from('Magic server to client signing constant'),
      );
      const expected = sha1(
        signing,
        challengeHash(peerChallenge, challenge2, Buffer.from(hashed)),
        Buffer.from('Pad to make it do more than one iteration'),
      );
      expect(outcome.ok && plain(outcome.reply)).toEqual(
        plain([attribute('MS-CHAP2-Success', `\x09S=${expected.toString('hex').toUpperCase()}`)]),
      );
    },
  );

  test('must be the one that was hashed, octet by octet', () => {
    for (const wrong of ['user', 'User ', '', 'BIGCO\\', 'BIGCO\\user', 'User\\BIGCO']) {
      const name = Buffer.from(wrong);
      expect(verifyMsChap(peerLogin2('User', 'clientPass'), 'clientPass', name).ok, wrong).toBe(false);
    }
    const latin = Buffer.from([0x4a, 0x6f, 0x73, 0xe9]);
    const hashed = challengeHash(peerChallenge, challenge2, latin);
    const login = login2(challenge2, peerChallenge, ntResponse(hashed, hash));
    expect(verifyMsChap(login, 'clientPass', latin).ok).toBe(true);
    expect(verifyMsChap(login, 'clientPass', Buffer.from(latin.toString('utf8'))).ok).toBe(false);
  });

  test('does not count for version 1', () => {
    expect(verifyMsChap(login1(challenge1, response1), 'MyPw', Buffer.from('anyone')).ok).toBe(true);
  });
});

describe('checkPassword', () => {
  const name = attribute('User-Name', 'User');
  const bothWays = (password: string) => [
    login1(challenge1, ntResponse(challenge1, ntPasswordHash(password)), name),
    peerLogin2('User', password, name),
  ];

  test.each(['', 'x', 'clientPass', 'siri kubwa', 'neno la siri: ñ € 😀', 'p'.repeat(256)])(
    'finds the password "%s" proved and no other',
    (password) => {
      for (const login of bothWays(password)) {
        expect(checkPassword(login, secret, password)).toBe(true);
        expect(checkPassword(login, secret, Buffer.from(password))).toBe(true);
        for (const wrong of [`${password}x`, `x${password}`, password.slice(1), password.toUpperCase()]) {
          if (wrong !== password) expect(checkPassword(login, secret, wrong), wrong).toBe(false);
        }
      }
    },
  );

  test('does not take octets that are no text for what they look like', () => {
    for (const login of bothWays('\ufffd')) {
      expect(checkPassword(login, secret, '\ufffd')).toBe(true);
      expect(checkPassword(login, secret, Buffer.from([0xff]))).toBe(false);
    }
  });

  test('tells the versions apart', () => {
    expect(bothWays('x').map(passwordMethod)).toEqual(['mschap1', 'mschap2']);
  });

  test('finds nothing proved when one bit of the response or a challenge differs', () => {
    for (const login of bothWays('clientPass')) {
      for (const changed of login.attributes.slice(0, 2)) {
        for (let at = 0; at < changed.value.length; at++) {
          const isResponse = changed.type !== 11;
          const counts = !isResponse || at >= 26 || (changed.type === 25 && at >= 2 && at < 18);
          const value = Buffer.from(changed.value);
          value[at]! ^= 1;
          const attributes = login.attributes.map((each) => (each === changed ? { ...each, value } : each));
          expect(checkPassword({ ...login, attributes }, secret, 'clientPass'), `${at}`).toBe(!counts);
        }
      }
    }
  });

  test('finds nothing proved by a LAN Manager response, or by 24 zeros', () => {
    const responses = Buffer.concat([Buffer.from([7, 0]), response1, Buffer.alloc(24)]);
    const login = request(
      attribute('MS-CHAP-Challenge', challenge1),
      attribute('MS-CHAP-Response', responses),
      name,
    );
    expect(checkPassword(login, secret, 'MyPw')).toBe(false);
  });
});

test('attributes that are missing or of another length prove nothing', () => {
  const parts = (type: 'MS-CHAP-Response' | 'MS-CHAP2-Response', good: { attributes: Attribute[] }) => ({
    type,
    challenge: good.attributes[0]!.value,
    response: good.attributes[1]!.value,
  });
  const logins = [
    parts('MS-CHAP-Response', login1(challenge1, ntResponse(challenge1, hash))),
    parts('MS-CHAP2-Response', login2(challenge2, peerChallenge, response2)),
  ];
  for (const { type, challenge, response } of logins) {
    const verify = (...attributes: Attribute[]) =>
      verifyMsChap(request(...attributes), 'clientPass', user).ok;
    expect(verify(attribute('MS-CHAP-Challenge', challenge), attribute(type, response))).toBe(true);
    expect(verify(attribute(type, response))).toBe(false);
    expect(verify(attribute('MS-CHAP-Challenge', challenge))).toBe(false);
    for (const wrong of [challenge.subarray(1), Buffer.concat([challenge, Buffer.alloc(1)])]) {
      expect(verify(attribute('MS-CHAP-Challenge', wrong), attribute(type, response))).toBe(false);
    }
    for (const wrong of [
      response.subarray(0, 49),
      Buffer.concat([response, Buffer.alloc(1)]),
      Buffer.alloc(0),
    ]) {
      expect(verify(attribute('MS-CHAP-Challenge', challenge), attribute(type, wrong))).toBe(false);
    }
  }
  // The challenge of version 2 is hashed next to the name, so its length is what keeps the two apart.
  for (const odd of [challenge2.subarray(1), Buffer.concat([challenge2, user])]) {
    const response = ntResponse(challengeHash(peerChallenge, odd, user), hash);
    expect(verifyMsChap(login2(odd, peerChallenge, response), 'clientPass', user).ok).toBe(false);
  }
  expect(verifyMsChap(request(), '', user)).toEqual({ ok: false });
});

describe('MS-CHAP-Error', () => {
  test('of version 2 is the ident and the text of RFC 2759 §6, with a new challenge each time', () => {
    const login = login2(challenge2, peerChallenge, response2);
    const values = [msChapError(login)!.value, msChapError(login)!.value];
    for (const value of values) {
      expect(value[0]).toBe(9);
      expect(value.toString('latin1', 1)).toMatch(/^E=691 R=0 C=[0-9A-F]{32} V=3$/);
    }
    expect(values[0]!.equals(values[1]!)).toBe(false);
    expect(msChapError(login, 647)!.value.toString('latin1')).toContain('E=647 R=0');
    expect(msChapError(login)).toMatchObject({ vendor: 311, type: 2 });
  });

  test('of version 1 has the shorter challenge of RFC 2433', () => {
    const { value } = msChapError(login1(challenge1, response1))!;
    expect(value[0]).toBe(7);
    expect(value.toString('latin1', 1)).toMatch(/^E=691 R=0 C=[0-9A-F]{16} V=2$/);
  });

  test('does not exist for a request without an MS-CHAP response', () => {
    expect(msChapError(request(attribute('User-Password', Buffer.alloc(16))))).toBeUndefined();
    expect(msChapError(request(attribute('MS-CHAP2-Response', Buffer.alloc(0))))).toBeUndefined();
  });
});

const programs = {
  smbencrypt: '/usr/bin/smbencrypt',
  radtest: '/usr/bin/radtest',
  radclient: '/usr/bin/radclient',
};
const present = Object.values(programs).every((program) => existsSync(program));
if (!present) console.log('skipped: FreeRADIUS programs are not installed (Debian package freeradius-utils)');

/** Runs one of FreeRADIUS's programs, `input` on its standard input. */
function run(program: keyof typeof programs, args: string[], input = '') {
  return new Promise<string>((resolve) => {
    const child = execFile(programs[program], args, (_error, stdout, stderr) => resolve(stdout + stderr));
    // A program may end without reading its input; its output tells all there is.
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
  });
}

describe.skipIf(!present)('FreeRADIUS', () => {
  let server: RadiusServer;
  let port: number;
  const shared = 'testing123';

  beforeAll(async () => {
    server = createRadiusServer({
      authListen: { host: '127.0.0.1', port: 0 },
      acctListen: { host: '127.0.0.1', port: 0 },
      findClient: () => ({ id: 'nas', secret: Buffer.from(shared), requireMessageAuthenticator: 'no' }),
      onAccess: (login) => {
        const name = getOctets(login, 'User-Name')!;
        const outcome = verifyMsChap(login, 'clientPass', name, { mppe: true, secret: Buffer.from(shared) });
        return outcome.ok
          ? { code: Code.AccessAccept, attributes: outcome.reply }
          : { code: Code.AccessReject, attributes: [msChapError(login)!] };
      },
      onAccounting: () => undefined,
      onError: (error) => {
        throw error;
      },
    });
    port = (await server.start()).auth.port;
  });
  afterAll(() => server.stop());

  test.each(['MyPw', 'clientPass', 'siri kubwa', '12345678'])('hashes "%s" as we do', async (password) => {
    const output = await run('smbencrypt', [password]);
    expect(output).toContain(ntPasswordHash(password).toString('hex').toUpperCase());
  });

  test('logs in with radtest by version 1 and finds the keys', async () => {
    const args = ['-t', 'mschap', 'User', 'clientPass', `127.0.0.1:${port}`, '0', shared, '1', '127.0.0.1'];
    const output = await run('radtest', args);
    expect(output).toContain('Received Access-Accept');
    expect(output).toContain(`MS-CHAP-MPPE-Keys = 0x${'00'.repeat(8)}${hashOfHash.toString('hex')}`);
  });

  test('is rejected with a wrong password and reads why', async () => {
    const args = ['-t', 'mschap', 'User', 'clientpass', `127.0.0.1:${port}`, '0', shared, '1', '127.0.0.1'];
    const output = await run('radtest', args);
    expect(output).toContain('Received Access-Reject');
    expect(output).toMatch(/MS-CHAP-Error = "\\000E=691 R=0 C=[0-9A-F]{16} V=2"/);
  });

  test('logs in with radclient by version 2 and finds the proof and the keys', async () => {
    const [challenge, response] = login2(challenge2, peerChallenge, response2).attributes;
    const input = [
      'User-Name = "User"',
      `MS-CHAP-Challenge = 0x${challenge!.value.toString('hex')}`,
      `MS-CHAP2-Response = 0x${response!.value.toString('hex')}`,
    ].join(', ');
    const args = ['-x', '-r', '1', '-t', '1', `127.0.0.1:${port}`, 'auth', shared];
    const output = await run('radclient', args, input);
    expect(output).toContain('Received Access-Accept');
    const proof = Buffer.from(`\x09S=${success.toString('hex').toUpperCase()}`).toString('hex');
    expect(output).toContain(`MS-CHAP2-Success = 0x${proof}`);
    expect(output).toContain('MS-MPPE-Send-Key = 0x8b7cdc149b993a1ba118cb153f56dccb');
    expect(output).toContain('MS-MPPE-Recv-Key = 0xd5f0e9521e3ea9589645e86051c82226');
  });
});
