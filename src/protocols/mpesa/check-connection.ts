// Tries M-PESA settings without moving money.
import { createMpesaClient, type MpesaConfig } from './client.ts';

/** One line of the answer: `message` says what happened, `hint` what to do about it (empty when all is well). */
export type CheckStep = {
  step: 'reachable' | 'keys' | 'shortcode';
  ok: boolean;
  message: string;
  hint: string;
};

/** Shaped like an id, dated 1999: before M-PESA, so no payment can ever have it. */
const IMPOSSIBLE_CHECKOUT_ID = 'ws_CO_311219992359599990700000000';

/**
 * Three steps, stopping at the first that fails: Daraja answers; it gives a token for the keys; it accepts shortcode and
 * passkey. The last asks about a transaction that cannot exist: wrong settings are refused as "Wrong credentials"
 * or "Merchant does not exist", right ones answer that the transaction is not there.
 */
export async function checkMpesaConnection(config: MpesaConfig): Promise<CheckStep[]> {
  const client = createMpesaClient(config);
  const steps: CheckStep[] = [];
  const token = await client.token();
  if (!token.ok && (token.reason === 'unreachable' || token.reason === 'unknown')) {
    const hint = token.code.includes('CERT')
      ? 'Check the date and time of this machine: certificates fail when the clock is wrong.'
      : "Check this machine's internet connection, and the address of Daraja.";
    return [{ step: 'reachable', ok: false, message: `No usable answer from Daraja (${token.code}).`, hint }];
  }
  steps.push({ step: 'reachable', ok: true, message: 'Daraja answers.', hint: '' });
  if (!token.ok) {
    const busy = token.reason === 'rate_limited';
    steps.push({
      step: 'keys',
      ok: false,
      message: busy
        ? `Daraja is busy (${token.code}).`
        : `Daraja refused the consumer key and secret (${token.code}).`,
      hint: busy
        ? 'Wait a minute, then test again.'
        : 'Copy both again from your app on the Daraja portal; sandbox and production have different keys.',
    });
    return steps;
  }
  steps.push({ step: 'keys', ok: true, message: 'The consumer key and secret are accepted.', hint: '' });
  const query = await client.stkQuery(IMPOSSIBLE_CHECKOUT_ID);
  if (query.outcome === 'pending' || query.outcome === 'decided') {
    steps.push({ step: 'shortcode', ok: true, message: 'The shortcode and passkey are accepted.', hint: '' });
    return steps;
  }
  steps.push(
    query.outcome === 'unknown'
      ? {
          step: 'shortcode',
          ok: false,
          message: `Daraja did not answer about the shortcode (${query.cause}).`,
          hint: 'Test again in a minute.',
        }
      : {
          step: 'shortcode',
          ok: false,
          message: query.message,
          hint: HINTS[query.reason] ?? 'Compare every field with the Daraja portal, then test again.',
        },
  );
  return steps;
}

const HINTS: Partial<Record<string, string>> = {
  credentials:
    'The passkey does not belong to this shortcode. For a till, the shortcode is the store (head office) number.',
  shortcode: 'Daraja does not know this shortcode, or it is not live for M-PESA Express yet.',
  product: 'Add the product "M-PESA Express" to your app on the Daraja portal, then wait up to an hour.',
  token:
    'The keys give a token that is not accepted: check that the address and the keys are of one environment.',
  rate_limited: 'Daraja is busy: wait a minute, then test again.',
  unreachable: "Check this machine's internet connection.",
};
