// MD4, which MS-CHAP hashes passwords with: Node's OpenSSL 3 no longer has it, Bun's crypto does.

/** The order in which a round takes the words, its shifts, its constant, its function of three words (RFC 1320 §3.4). */
interface Round {
  order: readonly number[];
  shifts: readonly number[];
  constant: number;
  mix(x: number, y: number, z: number): number;
}

const rounds: readonly Round[] = [
  {
    order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    shifts: [3, 7, 11, 19],
    constant: 0,
    mix: (x, y, z) => (x & y) | (~x & z),
  },
  {
    order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
    shifts: [3, 5, 9, 13],
    constant: 0x5a827999,
    mix: (x, y, z) => (x & y) | (x & z) | (y & z),
  },
  {
    order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
    shifts: [3, 9, 11, 15],
    constant: 0x6ed9eba1,
    mix: (x, y, z) => x ^ y ^ z,
  },
];

/** The MD4 digest of `message`, 16 octets (RFC 1320). Broken as a hash: only for protocols that ask for it. */
export function md4(message: Uint8Array): Buffer {
  const padded = pad(message);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let at = 0; at < padded.length; at += 64) addBlock(state, padded, at);
  const digest = Buffer.alloc(16);
  for (const [i, word] of state.entries()) digest.writeInt32LE(word, i * 4);
  return digest;
}

/** A one bit, zeros, then the length in bits as 64 bits, little end first: a whole number of 64-octet blocks. */
function pad(message: Uint8Array): Buffer {
  const padded = Buffer.alloc(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8);
  return padded;
}

function addBlock(state: Int32Array, padded: Buffer, at: number): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (const { order, shifts, constant, mix } of rounds) {
    for (let step = 0; step < 16; step++) {
      const sum = (a + mix(b, c, d) + padded.readInt32LE(at + order[step]! * 4) + constant) | 0;
      const shift = shifts[step % 4]!;
      a = d;
      d = c;
      c = b;
      b = (sum << shift) | (sum >>> (32 - shift));
    }
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}
