// Account passwords: argon2id, the runtime's own where it has one.

/** OWASP's floor for argon2id (19 MiB, two passes): a Raspberry Pi answers a login in well under a second. */
const MEMORY_KIB = 19_456;
const PASSES = 2;

export const MIN_PASSWORD_LENGTH = 8;

/** A PHC string, `$argon2id$v=19$…`: the same on Bun and Node, so that either reads the other's. */
export async function hashPassword(password: string): Promise<string> {
  if ('Bun' in globalThis) {
    return Bun.password.hash(password, { algorithm: 'argon2id', memoryCost: MEMORY_KIB, timeCost: PASSES });
  }
  const { argon2id } = await import('hash-wasm');
  const { randomBytes } = await import('node:crypto');
  return argon2id({
    password,
    salt: randomBytes(16),
    parallelism: 1,
    iterations: PASSES,
    memorySize: MEMORY_KIB,
    hashLength: 32,
    outputType: 'encoded',
  });
}

export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  // No account has it, and hash-wasm throws on it.
  if (password === '') return false;
  if ('Bun' in globalThis) return Bun.password.verify(password, hash);
  const { argon2Verify } = await import('hash-wasm');
  return argon2Verify({ password, hash });
}
