// The small pure things that everything stands on: numbers, codes, money, days, addresses, ids, secrets.
import { describe, expect, it } from 'vitest';
import { CODE_ALPHABET, groupCode, normalizeCode, randomCode, spellingsOf } from '../../src/lib/codes.ts';
import { DAY_MS, dayOf, startOfDay } from '../../src/lib/days.ts';
import { idAt, isId, newId } from '../../src/lib/ids.ts';
import { normalizeMac } from '../../src/lib/mac.ts';
import { formatMoney, isWholeShillings } from '../../src/lib/money.ts';
import { maskMsisdn, normalizeMsisdn } from '../../src/lib/msisdn.ts';
import { createVault, hashToken, newToken, rememberOpened, sameText } from '../../src/lib/secrets.ts';
import { chance } from '../protocols/radius/material.ts';

describe('a phone number', () => {
  it.each([
    '0712345678',
    '0712 345 678',
    '0712-345-678',
    '0712.345.678',
    '(0712) 345678',
    '0712/345678',
    '712345678',
    '254712345678',
    '+254712345678',
    '+254 712 345 678',
    '+254 (0) 712 345 678',
    '00254712345678',
    '2540712345678',
    '+2540712345678',
    ' 0712345678 ',
    '０７１２３４５６７８',
    '\u202a+254712345678\u202c',
    '0712\u00a0345\u00a0678',
    '0712–345–678',
  ])('written %j is 254712345678', (typed) => {
    expect(normalizeMsisdn(typed)).toBe('254712345678');
  });

  it.each([
    ['0110123456', '254110123456'],
    ['+254181000111', '254181000111'],
    ['0799999999', '254799999999'],
    ['100000000', '254100000000'],
  ])('of any network counts: %s', (typed, canonical) => {
    expect(normalizeMsisdn(typed)).toBe(canonical);
  });

  it.each([
    '',
    ' ',
    '+',
    '0',
    '071234567',
    '07123456789',
    '0203456789',
    '0812345678',
    '254812345678',
    '+255712345678',
    '+447700900123',
    '2547*****126',
    '0712•••678',
    '0712345678a',
    'O712345678',
    '254254712345678',
    '07 12 34 56 7八',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '0712345678,0712345679',
    '712345678.0',
    '#0712345678',
    '7'.repeat(10_000),
  ])('is refused when it is none: %j', (typed) => {
    expect(normalizeMsisdn(typed)).toBeUndefined();
  });

  it('is shown so that only its owner knows it', () => {
    expect(maskMsisdn('254712345678')).toBe('0712•••678');
  });
});

describe('a code', () => {
  it('is made of letters and digits that nobody mixes up', () => {
    expect(CODE_ALPHABET).not.toMatch(/[01ILOUV]/);
    expect(new Set(CODE_ALPHABET).size).toBe(29);
    const codes = new Set(Array.from({ length: 2000 }, () => randomCode(8)));
    expect(codes.size).toBe(2000);
    for (const code of codes) expect(code).toMatch(new RegExp(`^[${CODE_ALPHABET}]{8}$`));
    const used = new Set([...codes].join(''));
    expect(used.size).toBe(29);
  });

  it.each(['abcd-2345', 'ABCD 2345', ' a b.c_d–2345\n', 'ABCD—2345'])('typed as %j is ABCD2345', (typed) => {
    expect(normalizeCode(typed)).toBe('ABCD2345');
  });

  it('typed as a user name may be any of its spellings, what was typed first', () => {
    expect(spellingsOf(' Ab-2 ')).toEqual(['Ab-2', 'ab-2', 'AB-2', 'AB2']);
    expect(spellingsOf('guest')).toEqual(['guest', 'GUEST']);
  });

  it('is shown in groups of four', () => {
    expect([groupCode('ABCD2345'), groupCode('ABC'), groupCode('ABCD2'), groupCode('')]).toEqual([
      'ABCD-2345',
      'ABC',
      'ABCD-2',
      '',
    ]);
  });
});

describe('money', () => {
  it.each([
    [2000, 'KES 20'],
    [125_000, 'KES 1,250'],
    [0, 'KES 0'],
    [5, 'KES 0.05'],
    [2050, 'KES 20.50'],
    [-2000, '-KES 20'],
    [123_456_789_00, 'KES 123,456,789'],
  ])('of %d cents reads %s', (cents, text) => {
    expect(formatMoney(cents)).toBe(text);
  });

  it('moves by M-PESA in whole shillings only', () => {
    expect([100, 0, 2000].map(isWholeShillings)).toEqual([true, true, true]);
    expect([50, 2050, 0.5, Number.NaN, 2 ** 60].map(isWholeShillings)).toEqual(Array(5).fill(false));
  });
});

describe('the day', () => {
  const midnight = Date.UTC(2026, 10, 20, 21);
  it('begins at midnight in Nairobi, three hours before UTC’s', () => {
    expect(dayOf(midnight - 1)).toBe('2026-11-20');
    expect(dayOf(midnight)).toBe('2026-11-21');
    expect(startOfDay(midnight)).toBe(midnight);
    expect(startOfDay(midnight - 1)).toBe(midnight - DAY_MS);
    expect(startOfDay(midnight + DAY_MS - 1)).toBe(midnight);
    expect(dayOf(0)).toBe('1970-01-01');
    expect(startOfDay(0)).toBe(-3 * 3600_000);
  });
});

describe('a MAC address', () => {
  it.each([
    'aa:bb:cc:dd:ee:ff',
    'AA-BB-CC-DD-EE-FF',
    'aabb.ccdd.eeff',
    'aabbccddeeff',
    ' AA:BB:CC:DD:EE:FF ',
  ])('written %j is one', (text) => {
    expect(normalizeMac(text)).toBe('AA:BB:CC:DD:EE:FF');
  });
  it.each(['', 'aa:bb:cc:dd:ee', 'aa:bb:cc:dd:ee:ff:00', 'gg:bb:cc:dd:ee:ff', '10.5.48.2', 'guest'])(
    'is not %j',
    (text) => {
      expect(normalizeMac(text)).toBeUndefined();
    },
  );
});

describe('an id', () => {
  it('sorts by time, has one shape, and is not guessed from another', () => {
    const times = [0, 1, 31, 32, 1_700_000_000_000, 1_800_000_000_000, 1_800_000_000_001, 2 ** 45];
    const ids = times.map(newId);
    expect([...ids].sort()).toEqual(ids);
    expect(ids.every(isId)).toBe(true);
    const many = Array.from({ length: 5000 }, () => newId(1_800_000_000_000));
    expect(new Set(many).size).toBe(5000);
    expect(new Set(many.map((id) => id.slice(0, 10))).size).toBe(1);
    expect(new Set(many.map((id) => id.slice(10, 14))).size).toBeGreaterThan(4900);
  });

  it('is told from rubbish', () => {
    const id = newId(1);
    for (const text of [
      '',
      id.slice(1),
      `${id}0`,
      id.toUpperCase().replace(/\d/g, 'A'),
      `${id.slice(0, 25)}u`,
      "' or 1=1",
    ]) {
      expect(isId(text)).toBe(false);
    }
  });

  it('has a smallest of its millisecond', () => {
    const at = 1_800_000_000_000;
    expect(idAt(at) <= newId(at)).toBe(true);
    expect(idAt(at) > newId(at - 1)).toBe(true);
    expect(idAt(at)).toMatch(/^.{10}0{16}$/);
    expect(idAt(-1)).toBe('0'.repeat(26));
  });
});

describe('the vault', () => {
  const vault = createVault(Buffer.alloc(32, 1));
  const other = createVault(Buffer.alloc(32, 2));

  it('opens what it sealed, and seals the same text differently each time', () => {
    for (const text of ['', 'secret', 'ümläut 😀', 'x'.repeat(5000)])
      expect(vault.open(vault.seal(text))).toBe(text);
    expect(vault.seal('secret')).not.toBe(vault.seal('secret'));
    expect(vault.seal('secret')).not.toContain('secret');
  });

  it('opens nothing that was altered, cut, or sealed with another key', () => {
    const sealed = vault.seal('secret');
    const octets = Buffer.from(sealed.slice(3), 'base64');
    for (let at = 0; at < octets.length; at++) {
      const altered = Buffer.from(octets);
      altered[at] = (altered[at] as number) ^ 1;
      expect(() => vault.open(`v1.${altered.toString('base64')}`)).toThrow();
    }
    for (const cut of [0, 4, 12, 20, 27]) {
      expect(() => vault.open(`v1.${octets.subarray(0, cut).toString('base64')}`)).toThrow();
    }
    expect(() => other.open(sealed)).toThrow();
    expect(() => vault.open('secret')).toThrow();
    expect(() => vault.open(`v2${sealed.slice(2)}`)).toThrow();
  });

  it('makes fingerprints and signatures that differ by key and by purpose', () => {
    expect(vault.fingerprint('a')).toBe(vault.fingerprint('a'));
    const all = [
      vault.fingerprint('a'),
      vault.fingerprint('b'),
      other.fingerprint('a'),
      vault.sign('a'),
      other.sign('a'),
    ];
    expect(new Set(all).size).toBe(5);
    expect(all.every((text) => /^[\w-]{27}$/.test(text))).toBe(true);
  });

  it('wants a key of 32 octets', () => {
    expect(() => createVault(Buffer.alloc(16))).toThrow();
  });

  /** A vault that remembers so many, and what it had to open. */
  function rememberingVault(capacity: number) {
    const opened: string[] = [];
    const open = (sealed: string) => {
      opened.push(sealed);
      return vault.open(sealed);
    };
    return { opened, remembering: rememberOpened({ ...vault, open }, capacity) };
  }

  it('remembers what it opened last, and no more of it than asked for', () => {
    const { opened, remembering } = rememberingVault(4);
    const sealed = ['a', 'b', 'c', 'd', 'e'].map((text) => vault.seal(text));
    const [first = ''] = sealed;
    expect([first, first, first].map(remembering.open)).toEqual(['a', 'a', 'a']);
    expect(opened).toEqual([first]);
    expect(sealed.map(remembering.open)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(remembering.open(first)).toBe('a');
    expect(opened).toEqual([...sealed, first]);
    expect(() => remembering.open(other.seal('x'))).toThrow();
  });

  it('gives each sealed text its own, whatever else it remembers, and the last half of them for nothing', () => {
    const by = chance(31);
    const texts = ['', ...Array.from({ length: 11 }, (_, n) => `secret ${n}`)];
    // The same text is sealed anew for each credential that has it.
    const sealed = [...texts, ...texts].map((text) => vault.seal(text));
    const { opened, remembering } = rememberingVault(8);
    const lately: number[] = [];
    for (let round = 0; round < 2000; round++) {
      const which = by.below(sealed.length);
      const before = opened.length;
      expect(remembering.open(sealed[which] as string)).toBe(texts[which % texts.length]);
      if (lately.slice(-4).includes(which)) expect(opened).toHaveLength(before);
      lately.push(which);
    }
    expect(opened.length).toBeLessThan(2000);
  });

  it.each([2, 3, 7, 8])('that may remember %i remembers no more, however many it has opened', (capacity) => {
    const sealed = Array.from({ length: 3 * capacity + 2 }, (_, n) => vault.seal(`secret ${n}`));
    for (let count = 1; count <= sealed.length; count++) {
      const first = sealed.slice(0, count);
      const known = first.filter((one) => {
        const { opened, remembering } = rememberingVault(capacity);
        for (const each of first) remembering.open(each);
        const before = opened.length;
        remembering.open(one);
        return opened.length === before;
      });
      expect(known.length).toBeLessThanOrEqual(capacity);
      expect(known.at(-1)).toBe(first.at(-1));
    }
  });

  it('has tokens that are never stored themselves', () => {
    const token = newToken();
    expect(token).toMatch(/^[\w-]{22}$/);
    expect(hashToken(token)).not.toContain(token);
    expect(hashToken(token)).toBe(hashToken(token));
    expect(sameText('a', 'a')).toBe(true);
    expect(sameText('a', 'ab')).toBe(false);
    const others = Array.from({ length: 2000 }, (_, n) => `a${n}`);
    expect(others.filter((text) => sameText('a', text))).toEqual([]);
  });
});
