// Encrypts the initiator's password for M-PESA.
import { constants, type KeyObject, publicEncrypt, X509Certificate } from 'node:crypto';

/**
 * - `credential`: goes into SecurityCredential; every call makes another one (random padding).
 * - `expires_at`: end of the certificate, epoch ms. The password itself ends 90 days after it was set.
 */
export type SecurityCredential =
  | { ok: true; credential: string; expires_at: number }
  | { ok: false; problem: 'certificate' | 'password'; message: string };

const no = (problem: 'certificate' | 'password', message: string) =>
  ({ ok: false, problem, message }) as const;

/** PEM as it is; DER as it is, or as the bare base64 that a form may carry. */
function certificateBytes(certificate: string | Uint8Array): string | Buffer {
  if (typeof certificate !== 'string') return Buffer.from(certificate);
  return certificate.includes('-----BEGIN') ? certificate.trim() : Buffer.from(certificate, 'base64');
}

/**
 * base64(RSA PKCS#1 v1.5(password)) with the key in M-PESA's certificate, PEM or DER as downloaded from the Daraja
 * portal; sandbox and production have different ones (payments.md §1.10). No message ever contains the password.
 */
export function makeSecurityCredential(
  initiatorPassword: string,
  certificate: string | Uint8Array,
): SecurityCredential {
  const plain = Buffer.from(initiatorPassword, 'utf8');
  if (plain.length === 0) return no('password', 'The initiator password is missing.');
  let key: KeyObject;
  let expiresAt: number;
  try {
    const parsed = new X509Certificate(certificateBytes(certificate));
    key = parsed.publicKey;
    expiresAt = Date.parse(parsed.validTo);
  } catch {
    // The parser's own words name its internals, and there is one thing to do whatever they are.
    return no('certificate', 'This file is not a certificate: download it again from the Daraja portal.');
  }
  if (key.asymmetricKeyType !== 'rsa')
    return no('certificate', "This is not M-PESA's certificate: its key is not RSA.");
  const keyOctets = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 2048) / 8);
  // PKCS#1 v1.5 needs 11 octets for itself.
  if (plain.length > keyOctets - 11) return no('password', 'The initiator password is too long.');
  const credential = publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, plain).toString('base64');
  return { ok: true, credential, expires_at: expiresAt };
}
