// Encrypts initiator passwords and reads them back with the private key.
import { constants, createPublicKey, generateKeyPairSync, publicEncrypt, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeSecurityCredential } from '../../../src/protocols/mpesa/index.ts';
import { openCredential } from '../../../src/simulators/mpesa/certificate.ts';
import { SIMULATED_CERTIFICATE } from '../../../src/simulators/mpesa/index.ts';

function made(password: string, certificate: string | Uint8Array = SIMULATED_CERTIFICATE): string {
  const made = makeSecurityCredential(password, certificate);
  if (!made.ok) throw new Error(made.message);
  return made.credential;
}

describe('a security credential', () => {
  it.each(['Safaricom999!*!', 'a', 'pass#word&%$', 'nenosiri-ndefu-ñ', 'x'.repeat(245)])(
    'of %s is read back with the private key',
    (password) => {
      expect(openCredential(made(password))).toBe(password);
    },
  );

  it('is base64 of 256 octets, another one every time', () => {
    const [first, second] = [made('Karibu#2026'), made('Karibu#2026')];
    expect(Buffer.from(first, 'base64')).toHaveLength(256);
    expect(first).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(first).not.toBe(second);
  });

  it('comes from a certificate in DER as well', () => {
    const der = new X509Certificate(SIMULATED_CERTIFICATE).raw;
    expect(openCredential(made('Karibu#2026', new Uint8Array(der)))).toBe('Karibu#2026');
    expect(openCredential(made('Karibu#2026', der.toString('base64')))).toBe('Karibu#2026');
    expect(openCredential(made('Karibu#2026', `\n${SIMULATED_CERTIFICATE}\n`))).toBe('Karibu#2026');
  });

  it('tells when the certificate ends', () => {
    const credential = makeSecurityCredential('x', SIMULATED_CERTIFICATE);
    expect(credential).toMatchObject({ ok: true, expires_at: expect.any(Number) });
    expect(credential.ok && credential.expires_at).toBeGreaterThan(Date.UTC(2100, 0));
  });

  it.each(['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])(
    'cannot be made from %j',
    (certificate) => {
      expect(makeSecurityCredential('Top-Secret-9', certificate)).toMatchObject({
        ok: false,
        problem: 'certificate',
        message: expect.not.stringContaining('Top-Secret-9'),
      });
    },
  );

  it('cannot be made from a password that is missing or too long', () => {
    expect(makeSecurityCredential('', SIMULATED_CERTIFICATE)).toMatchObject({
      ok: false,
      problem: 'password',
    });
    const long = makeSecurityCredential('é'.repeat(123), SIMULATED_CERTIFICATE);
    expect(long).toMatchObject({ ok: false, problem: 'password' });
    expect(JSON.stringify(long)).not.toContain('é');
  });

  it('for another key, or with another padding, opens nothing', () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const foreign = publicEncrypt(
      { key: other, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from('Karibu#2026'),
    );
    expect(openCredential(foreign.toString('base64'))).not.toBe('Karibu#2026');
    const ours = createPublicKey(SIMULATED_CERTIFICATE);
    const oaep = publicEncrypt(
      { key: ours, padding: constants.RSA_PKCS1_OAEP_PADDING },
      Buffer.from('Karibu#2026'),
    );
    expect(openCredential(oaep.toString('base64'))).toBeUndefined();
    expect(openCredential(Buffer.from('Karibu#2026').toString('base64'))).toBeUndefined();
  });
});
