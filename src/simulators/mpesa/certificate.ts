// Holds the simulated M-PESA's own certificate, with which initiator passwords are encrypted and read.
import { constants, createPrivateKey, privateDecrypt } from 'node:crypto';

/** What an operator would download from the Daraja portal; good for a hundred years. */
export const SIMULATED_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIDXTCCAkWgAwIBAgIUDgDwwEDTE0opew04QY92X22otycwDQYJKoZIhvcNAQEL
BQAwPTEZMBcGA1UECgwQU2ltdWxhdGVkIE0tUEVTQTEgMB4GA1UEAwwXc2ltdWxh
dGVkLW1wZXNhLmludmFsaWQwIBcNMjYxMTIxMTQ1OTAzWhgPMjEyNjEwMjgxNDU5
MDNaMD0xGTAXBgNVBAoMEFNpbXVsYXRlZCBNLVBFU0ExIDAeBgNVBAMMF3NpbXVs
YXRlZC1tcGVzYS5pbnZhbGlkMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC
AQEAv5A+3zKbNruRvsFB5s8vHBBk4jR7erRCFAQvg+uwCPAYhk4UriM1shG0r1Zt
1IzTPvh+Cn2C39ZZGfJkUdrUSKQy3OYr0tvTLjlEA5w0wMdKaRCNGlfmdRuBuqbM
10GcjnQnrLwZypfKOBwRy0ZlsXHEfVKhlvKCRDwzNRhfkMn5/2Aex/A4AYLceKlo
brhCrEzMfWgG2FnHrmW2TLjyOP76nxvxfeunHq6+RoGusumxTvNd2OMUvLvAA5lB
F5134ApH67LyOOVRzjsOx2/bLMwFa8HUu03KuhgnzFyWh2s+UYS63PxGOCslUFKo
GuRoBgPVCloA/WtcdP94uyba+wIDAQABo1MwUTAdBgNVHQ4EFgQUdWlMsm+AvyS9
znu3Tz2ARfzgEo4wHwYDVR0jBBgwFoAUdWlMsm+AvyS9znu3Tz2ARfzgEo4wDwYD
VR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAlaEh1Tde2oanMjOsLrPS
wR5bmGc7reiou6T010g02bx1cI4VEroyd2KlTS/oRpp7SRrUSiOAUZva/dJUoXaH
h19C+NBtER0CHSBGfJD7B13/+YvdSmaujNuF8xx45bc7m28FKsmPx873TGRBN92a
sPbsNHLahtlo/AtfVq50yMa1P1gCmRC5t7FRgRytyKMxP/3DgX8PDYyqTpgtmVwF
tdidLQBvVtfaZXflDdNWLsHUNYpeRdkLp79oAiJFemR/WsFjYjbrSDsZU7pR7UzR
M8EOhp0M8P1j6/LaUsuVk3OSjHGd2jUnnN3QoVz7Z9OfVkIDDLQDqdpZqAbwZUQK
fg==
-----END CERTIFICATE-----
`;

// No secret of anyone: it opens nothing but passwords made up for training and tests (PKCS#8, DER).
const KEY_DER = [
  'MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQC/kD7fMps2u5G+wUHmzy8cEGTiNHt6tEIUBC+D67AI8BiG',
  'ThSuIzWyEbSvVm3UjNM++H4KfYLf1lkZ8mRR2tRIpDLc5ivS29MuOUQDnDTAx0ppEI0aV+Z1G4G6pszXQZyOdCesvBnKl8o4',
  'HBHLRmWxccR9UqGW8oJEPDM1GF+Qyfn/YB7H8DgBgtx4qWhuuEKsTMx9aAbYWceuZbZMuPI4/vqfG/F966cerr5Gga6y6bFO',
  '813Y4xS8u8ADmUEXnXfgCkfrsvI45VHOOw7Hb9sszAVrwdS7Tcq6GCfMXJaHaz5RhLrc/EY4KyVQUqga5GgGA9UKWgD9a1x0',
  '/3i7Jtr7AgMBAAECggEAI+NsQ/iBJ7HgTjJ6nDk4hDN2EwLuF0DqGEHofPiM1D/W+GJscWtbRe8XQLoafXWcpfF7+48kE7de',
  'ngPRU5yBpNJOTSA6GZjhaYmE+oArSeqMQD6/kK3jGRF8LnHNco5yPCX6wNvEoTXqxrRLiR+5MZM00p3GdDcevJXiqhHU5ZT+',
  'amNrPXmh3UtGIbFX13qovG+Oo27dTrmwmLh/sY1s0J0mSe894Zlup3NgrjlvJ8Vo+XDoZ7TyOMz6BZAE9O+kquee0PXLBsPu',
  'y5FmeIAKf/3GrEW7M/cPe8wZ7XkfOCX4huxE8MirMFXOK09zzfvghAecYozLyBHaTLvQII8BoQKBgQDhFBkEz9Qm0kDtvOfW',
  'eP+8d+kKOPnRz/PUgAK3o1ynFV7HJ8x1ZKSdRHs4OKOrfbDmIxnRhVUxmCvW+9dJrPs0/NJy4sminy85263+P54gYcv34p59',
  'apMEA0oc3+WNsF2ejgtT967JrtJ7hYTgLfVkrtpQuykkNBW3Lk96UFnikwKBgQDZ4XCZ7f/5hWMjYZGVHKihvvRlVnSdFZi2',
  'tO6EL5JJwyGe8pZWgks+tdZx9niGtNsI/tt4NsCuGtzUq058lp2OsBZPigD0mRuEwTcTvlpclzPKGtTfGU3S9MfVw6jviwIZ',
  'wspYfK8br9C1cfKe/L6r8B4KX5il+UxBWWigSore+QKBgQDI9zzvgvGWSB0ZKJaIdTlCen5lVkIZCGhZ0IKcnQxZU0dw4yQ3',
  'nUkt8rtik4/vyyZsFeMzpK1QvuJF7k9nxT/3K9ZsJfqLbT6plnBgl0UE/M014+5HZSUnbBh8d51rSZINxB5xNrGl+qaNC8Z8',
  'tAxrfYQImVQ+sxLAoGTufVgEaQKBgQCVPfneRotPBJIq2xtYkz/jQySvAXBxZSitBfRXMSq4QeQWtz5JVYhrFS0l9NkMFHfw',
  'inoUtxR2bcoUFp91ccnMwksWAoazBOk3nw22BW5p+9wqtQRZKUEInkj/4L0oEATJVoc543YiteR1VO8G/kMxDRHWszKhhck4',
  '/iBPo5/KKQKBgQDXfmzx54oVrOCTMYF7E+yE2cqNwA/tp32oCNMWolsSLr2cKJJwdZtGpBjJbfi6eo7mTqL27yI7EFjC45Zr',
  'TsKtzMVfEmcfZ7EDaftNbloz8ErJb/iB9tmuB3zZEjviL7MVKVSTT5B2OfBaDEOa9Z522ijX+WcCz1c1DRVBb5i51g==',
].join('');

const key = createPrivateKey({ key: Buffer.from(KEY_DER, 'base64'), format: 'der', type: 'pkcs8' });

/** The password in a SecurityCredential; undefined when it was not made with SIMULATED_CERTIFICATE. */
export function openCredential(credential: string): string | undefined {
  const sealed = Buffer.from(credential, 'base64');
  if (sealed.length !== 256) return undefined;
  let block: Buffer;
  try {
    // Node 20 refuses PKCS#1 v1.5 in privateDecrypt for the sake of servers; the padding is taken off here instead.
    block = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, sealed);
  } catch {
    // A number above the modulus: not made for this key.
    return undefined;
  }
  // 00 02, at least eight octets that are not 00, 00, the message.
  const end = block.indexOf(0, 2);
  if (block[0] !== 0 || block[1] !== 2 || end < 10) return undefined;
  return block.subarray(end + 1).toString('utf8');
}
