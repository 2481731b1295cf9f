// Shows that no answer of Daraja carries a secret or a full phone number into our messages.
import { describe, expect, it } from 'vitest';
import { createMpesaClient, stkPassword } from '../../../src/protocols/mpesa/index.ts';

const TOKEN = 'abcdefghijklmnopqrstuvwxyz01';
const CREDENTIAL = Buffer.from('a sealed initiator password').toString('base64');
const NOW = Date.UTC(2026, 9, 2, 5, 36);
const PASSWORD = stkPassword('174379', 'pass-key', '20261002083600');

/** A client whose Daraja repeats in its error everything it was told. */
function echoing(status: number, code: string) {
  return createMpesaClient({
    baseUrl: 'http://daraja.test',
    consumerKey: 'k',
    consumerSecret: 's',
    shortcode: '174379',
    kind: 'paybill',
    passkey: 'pass-key',
    initiator: { name: 'testapi', securityCredential: CREDENTIAL },
    now: () => NOW,
    fetch: async (url, init) => {
      if (url.includes('/oauth/')) return Response.json({ access_token: TOKEN, expires_in: 3599 });
      const headers = init.headers as Record<string, string>;
      const errorMessage = `Bad thing in ${String(init.body)} with ${headers.authorization}`;
      return Response.json({ requestId: '1', errorCode: code, errorMessage }, { status });
    },
  });
}

const TO = { result_url: 'https://box.example.test/r', timeout_url: 'https://box.example.test/t' };

describe('an error that repeats the request', () => {
  it.each([
    [400, '400.002.02'],
    [401, '401.002.01'],
    [500, '500.001.1001'],
    [500, '500.003.1001'],
    [200, '500.001.1001'],
  ])('with HTTP %i and %s tells no secret', async (status, code) => {
    const client = echoing(status, code);
    const answers = [
      await client.stkPush({
        amount_shillings: 20,
        msisdn: '254712345678',
        account_reference: 'HOUR1',
        description: '',
        callback_url: 'https://box.example.test/x',
      }),
      await client.stkQuery('ws_CO_0210202608360745712345678'),
      await client.transactionStatus({ ...TO, receipt: 'RLA0R69NXM' }),
      await client.reverse({ ...TO, receipt: 'RLA0R69NXM', amount_shillings: 1, remarks: 'again' }),
      await client.registerPull({
        nominated_msisdn: '254712345678',
        callback_url: 'https://box.example.test/x',
      }),
    ];
    const told = JSON.stringify(answers);
    expect(told).toContain('Bad thing');
    for (const secret of [TOKEN, PASSWORD, CREDENTIAL, '254712345678', '712345678']) {
      expect(told).not.toContain(secret);
    }
  });
});
