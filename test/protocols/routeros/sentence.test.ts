// The API's wire format, octet by octet.
import { describe, expect, test } from 'vitest';
import {
  createSentenceDecoder,
  encodeLength,
  encodeSentence,
  readSentence,
  SentenceError,
} from '../../../src/protocols/routeros/sentence.ts';

describe('a length prefix', () => {
  test.each([
    [0, '00'],
    [0x7f, '7f'],
    [0x80, '8080'],
    [0x3fff, 'bfff'],
    [0x4000, 'c04000'],
    [0x1fffff, 'dfffff'],
    [0x200000, 'e0200000'],
    [0xfffffff, 'efffffff'],
    [0x10000000, 'f010000000'],
    [0xffffffff, 'f0ffffffff'],
  ])('of %i is %s', (length, hex) => {
    expect(encodeLength(length).toString('hex')).toBe(hex);
  });
});

describe('the decoder', () => {
  const long = 'x'.repeat(0x4000);
  const longer = 'é'.repeat(0x200000);
  const sentences = [
    ['/login', '=name=a', '=password=b=c'],
    ['!re', `=data=${long}`],
    ['!done', '.tag=7'],
  ];
  const stream = Buffer.concat(sentences.map((words) => encodeSentence(words)));

  test('reads sentences that came one octet at a time', () => {
    const decoder = createSentenceDecoder();
    const read = [...stream].flatMap((octet) => decoder.push(Buffer.from([octet])));
    expect(read).toEqual(sentences);
  });

  test('reads sentences cut at every place', () => {
    for (let cut = 0; cut <= stream.length; cut += cut < 64 ? 1 : 997) {
      const decoder = createSentenceDecoder();
      const read = [...decoder.push(stream.subarray(0, cut)), ...decoder.push(stream.subarray(cut))];
      expect(read).toEqual(sentences);
    }
  });

  test('reads a word of 4 MiB that came in segments', () => {
    const decoder = createSentenceDecoder();
    const bytes = encodeSentence(['!re', longer]);
    const read: string[][] = [];
    for (let at = 0; at < bytes.length; at += 1448) read.push(...decoder.push(bytes.subarray(at, at + 1448)));
    expect(read).toEqual([['!re', longer]]);
  });

  test('leaves empty sentences out', () => {
    expect(createSentenceDecoder().push(Buffer.from([0, 0, 2, 0x61, 0x62, 0, 0]))).toEqual([['ab']]);
  });

  test.each([0xf8, 0xf9, 0xff])('refuses the reserved length byte %i', (octet) => {
    expect(() => createSentenceDecoder().push(Buffer.from([octet, 0, 0, 0, 0]))).toThrow(SentenceError);
  });

  test('refuses a word over 16 MiB before it has come', () => {
    const decoder = createSentenceDecoder();
    expect(decoder.push(encodeLength(16 * 1024 * 1024))).toEqual([]);
    expect(() => createSentenceDecoder().push(encodeLength(16 * 1024 * 1024 + 1))).toThrow(SentenceError);
    expect(() => createSentenceDecoder().push(Buffer.from('f0ffffffff', 'hex'))).toThrow(SentenceError);
  });
});

test('a sentence with an empty word is not sent', () => {
  expect(() => encodeSentence(['/print', ''])).toThrow(RangeError);
  expect(() => encodeSentence([])).toThrow(RangeError);
});

test('a sentence is taken apart at the second equals sign only', () => {
  const words = ['/a/print', '=url=http://x/?a=b', '=empty=', '=flag', '?name=x', '.tag=7', '?#|'];
  expect(readSentence(words)).toEqual({
    word: '/a/print',
    attributes: { url: 'http://x/?a=b', empty: '', flag: '' },
    api: { tag: '7' },
    others: ['?name=x', '?#|'],
  });
});
