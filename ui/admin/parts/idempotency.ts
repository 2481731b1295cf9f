// The key that makes a repeated POST count once.

/** A fresh random key, 128 bits in hex. `crypto.randomUUID` is missing outside HTTPS. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
