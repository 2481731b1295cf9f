// The RouterOS API's wire format: words with a length prefix, sentences of words.

/** Octets that are not the API: a reserved length byte, or a word or sentence beyond any sane size. */
export class SentenceError extends Error {
  override name = 'SentenceError';
}

const longestWord = 16 * 1024 * 1024;
const longestSentence = 4 * longestWord;

/** The length prefix of a word, 1 to 5 octets, big-endian (MikroTik manual, API, "API words"). */
export function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x4000) return Buffer.from([(length >>> 8) | 0x80, length & 0xff]);
  if (length < 0x200000) return Buffer.from([(length >>> 16) | 0xc0, (length >>> 8) & 0xff, length & 0xff]);
  const bytes = Buffer.alloc(length < 0x10000000 ? 4 : 5);
  if (length < 0x10000000) bytes.writeUInt32BE((length | 0xe0000000) >>> 0, 0);
  else {
    bytes[0] = 0xf0;
    bytes.writeUInt32BE(length, 1);
  }
  return bytes;
}

/**
 * One sentence as octets, with its closing empty word. Throws RangeError for no words, an empty word (it would end the
 * sentence early, so that what follows is read as a command of its own) and a word over 16 MiB.
 */
export function encodeSentence(words: readonly string[]): Buffer {
  if (words.length === 0) throw new RangeError('A sentence has at least one word');
  const parts: Buffer[] = [];
  for (const word of words) {
    const bytes = Buffer.from(word, 'utf8');
    if (bytes.length === 0) throw new RangeError('A word is never empty');
    if (bytes.length > longestWord) throw new RangeError(`A word of ${bytes.length} octets is too long`);
    parts.push(encodeLength(bytes.length), bytes);
  }
  parts.push(Buffer.from([0]));
  return Buffer.concat(parts);
}

/** Reads sentences from a TCP stream that may be cut anywhere. */
export interface SentenceDecoder {
  /**
   * The sentences that `chunk` completes, in order; empty sentences are left out. Throws SentenceError, after which the
   * stream has no meaning any more: close the connection.
   */
  push(chunk: Uint8Array): string[][];
}

/** A decoder for one connection. Chunks are kept as they come until a word is whole, so a long word is copied once. */
export function createSentenceDecoder(): SentenceDecoder {
  let chunks: Buffer[] = [];
  let buffered = 0;
  /** Octets without which nothing more can be read. */
  let needed = 1;
  let words: string[] = [];
  let sentenceLength = 0;

  function push(chunk: Uint8Array): string[][] {
    chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    buffered += chunk.byteLength;
    if (buffered < needed) return [];

    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, buffered);
    const sentences: string[][] = [];
    let at = 0;
    for (;;) {
      const word = readWord(bytes, at);
      if (typeof word === 'number') {
        needed = word;
        break;
      }
      at = word.end;
      if (word.start === word.end) {
        if (words.length > 0) sentences.push(words);
        words = [];
        sentenceLength = 0;
        continue;
      }
      sentenceLength += word.end - word.start;
      if (sentenceLength > longestSentence) throw new SentenceError('A sentence is too long');
      words.push(bytes.toString('utf8', word.start, word.end));
    }
    // A copy, because the rest may be a few octets of a large chunk that would otherwise stay in memory.
    const rest = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
    chunks = rest ? [rest] : [];
    buffered = rest?.length ?? 0;
    return sentences;
  }

  return { push };
}

/** Where the word at `at` lies, or how many octets from `at` are needed to know more. */
function readWord(bytes: Buffer, at: number): { start: number; end: number } | number {
  const left = bytes.length - at;
  if (left < 1) return 1;
  const first = bytes[at]!;
  if (first >= 0xf8) throw new SentenceError(`The length byte 0x${first.toString(16)} is reserved`);
  const extra = first < 0x80 ? 0 : first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (left < 1 + extra) return 1 + extra;
  let length = extra === 0 ? first : first & (0x7f >> extra);
  for (let i = 1; i <= extra; i++) length = ((length << 8) | bytes[at + i]!) >>> 0;
  if (length > longestWord) throw new SentenceError(`A word of ${length} octets is too long`);
  if (left < 1 + extra + length) return 1 + extra + length;
  return { start: at + 1 + extra, end: at + 1 + extra + length };
}

/** A sentence taken apart: `=name=value` words, `.name=value` words, and the words that are neither. */
export interface ReadSentence {
  /** The first word: a command, or `!re`, `!done`, `!trap`, `!fatal`, `!empty`. */
  word: string;
  /** `=name=value`; the value may itself contain `=`. */
  attributes: Record<string, string>;
  /** `.tag=7` is `{ tag: '7' }`. */
  api: Record<string, string>;
  /** What is left in order: `?…` queries of a command, the reason of `!fatal`. */
  others: string[];
}

/** Takes a sentence apart (MikroTik manual, API, "Attribute word", "API attribute word"). */
export function readSentence(words: readonly string[]): ReadSentence {
  const sentence: ReadSentence = { word: words[0] ?? '', attributes: {}, api: {}, others: [] };
  for (const word of words.slice(1)) {
    if (word.startsWith('=')) {
      const split = word.indexOf('=', 1);
      if (split > 0) sentence.attributes[word.slice(1, split)] = word.slice(split + 1);
      else sentence.attributes[word.slice(1)] = '';
    } else if (word.startsWith('.') && word.includes('=')) {
      const split = word.indexOf('=');
      sentence.api[word.slice(1, split)] = word.slice(split + 1);
    } else {
      sentence.others.push(word);
    }
  }
  return sentence;
}
