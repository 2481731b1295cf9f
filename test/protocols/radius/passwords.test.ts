// PAP and CHAP.
import { describe, expect, test } from 'vitest';
import { attribute } from '../../../src/protocols/radius/attributes.ts';
import type { AttributeName } from '../../../src/protocols/radius/dictionary.ts';
import { dictionary } from '../../../src/protocols/radius/dictionary.ts';
import type { Attribute } from '../../../src/protocols/radius/packet.ts';
import {
  chapPassword,
  chapResponse,
  checkPassword,
  hidePassword,
  passwordMethod,
  revealPassword,
} from '../../../src/protocols/radius/passwords.ts';
import { chance, read, vector, vectorLines } from './material.ts';

const secret = Buffer.from('xyzzy5461');
const authenticator = Buffer.from('0f403f9473978057bd83d5cb98f4227a', 'hex');
const request = (...attributes: Attribute[]) => ({ authenticator, attributes });
const pap = (password: string | Buffer) =>
  request(attribute('User-Password', hidePassword(password, secret, authenticator)));

describe('the examples of RFC 2865 §7', () => {
  test.each([
    ['rfc2865-7.1-request', 'arctangent'],
    ['rfc2865-7.2-request', 'arctangent'],
    ['rfc2865-7.3-request', 'challenge'],
  ])('%s proves its password and no other', (name, password) => {
    const packet = read(vector(name));
    expect(checkPassword(packet, secret, password)).toBe(true);
    for (const wrong of ['', `${password}x`, password.slice(1), password.toUpperCase(), `${password}\0x`]) {
      expect(checkPassword(packet, secret, wrong), wrong).toBe(false);
    }
  });

  test('§7.1 hides the password as printed', () => {
    expect(hidePassword('arctangent', secret, authenticator).toString('hex')).toBe(
      '0dbe708d93d413ce3196e43f782a0aee',
    );
  });
});

test('the CHAP answer of a RouterOS hotspot is right against CHAP-Challenge', () => {
  const [challenge, answer] = vectorLines('routeros-hotspot-chap');
  expect(chapResponse(0x34, 'lkfgxifde', challenge!).equals(answer!.subarray(1))).toBe(true);
  const login = request(attribute('CHAP-Challenge', challenge!), attribute('CHAP-Password', answer!));
  expect(checkPassword(login, secret, 'lkfgxifde')).toBe(true);
  expect(checkPassword(login, secret, 'lkfgxifdf')).toBe(false);
  expect(checkPassword(request(attribute('CHAP-Password', answer!)), secret, 'lkfgxifde')).toBe(false);
});

test('PAP and CHAP prove every password of 0 to 128 octets, and not one octet off', () => {
  const by = chance(2865);
  for (let length = 0; length <= 128; length++) {
    // NUL is what pads a password, so it cannot be part of one's end.
    const password = Buffer.from(by.octets(length).map((octet) => octet || 1));
    const wrong = Buffer.from(password);
    if (length > 0) wrong[by.below(length)]! ^= 0x55;
    const challenge = by.octets(16);
    const chap = request(
      attribute('CHAP-Challenge', challenge),
      attribute('CHAP-Password', chapPassword(by.below(256), password, challenge)),
    );
    expect(revealPassword(pap(password), secret)?.equals(password)).toBe(true);
    for (const login of [pap(password), chap]) {
      expect(checkPassword(login, secret, password)).toBe(true);
      if (length > 0) expect(checkPassword(login, secret, wrong)).toBe(false);
    }
  }
});

test('a password over 128 octets cannot be hidden', () => {
  expect(() => hidePassword('x'.repeat(129), secret, authenticator)).toThrow(RangeError);
});

test('PAP with another secret is a wrong password', () => {
  expect(checkPassword(pap('1234'), Buffer.from('other'), '1234')).toBe(false);
});

test('an empty password is proved by an empty User-Password of either form, and by nothing else', () => {
  // RFC 2865 §5.2: at least 16 octets.
  expect(hidePassword('', secret, authenticator)).toHaveLength(16);
  expect(checkPassword(pap(''), secret, '')).toBe(true);
  expect(checkPassword(request(attribute('User-Password', '')), secret, '')).toBe(true);
  expect(checkPassword(request(attribute('User-Password', '')), secret, 'x')).toBe(false);
  expect(checkPassword(pap('x'), secret, '')).toBe(false);
  expect(checkPassword(request(), secret, '')).toBe(false);
});

test.each([15, 17, 144])('a User-Password of %i octets is never right', (length) => {
  const login = request(attribute('User-Password', Buffer.alloc(length)));
  expect(checkPassword(login, secret, '')).toBe(false);
  expect(revealPassword(login, secret)).toBeUndefined();
});

test.each([0, 16, 18])('a CHAP-Password of %i octets is never right', (length) => {
  expect(checkPassword(request(attribute('CHAP-Password', Buffer.alloc(length))), secret, '')).toBe(false);
});

test('the method is told by the attributes, and a method that is not PAP or CHAP proves nothing', () => {
  const octets = (name: AttributeName): Attribute => ({ ...dictionary[name], value: Buffer.alloc(50) });
  expect(passwordMethod(request())).toBe('none');
  expect(passwordMethod(request(octets('User-Password')))).toBe('pap');
  expect(passwordMethod(request(octets('CHAP-Password')))).toBe('chap');
  const others = [
    ['mschap1', 'MS-CHAP-Response'],
    ['mschap2', 'MS-CHAP2-Response'],
    ['eap', 'EAP-Message'],
  ] as const;
  for (const [method, name] of others) {
    const login = request(octets(name), ...pap('1234').attributes);
    expect(passwordMethod(login)).toBe(method);
    expect(checkPassword(login, secret, '1234')).toBe(false);
  }
});
