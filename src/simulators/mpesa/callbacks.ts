// Builds and sends STK callbacks.
import { formatEatTimestamp } from '../../protocols/mpesa/eat-time.ts';
import { type Delivery, postOnce } from './delivery.ts';
import type { Knobs } from './knobs.ts';
import type { Prompt } from './network.ts';
import { resultProse } from './texts.ts';

type Item = { Name: string; Value?: unknown };

function shuffle<T>(list: T[], random: () => number): T[] {
  return list
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function metadataItems(prompt: Prompt, knobs: Knobs, paidAt: number, random: () => number): Item[] {
  const amount = knobs.callback_amount_shillings ?? prompt.amount_shillings;
  const asString = knobs.callback_types === 'string';
  const typed = (value: number) => (asString ? String(value) : value);
  const items: Item[] = [{ Name: 'Amount', Value: asString ? `${amount.toFixed(2)}` : amount }];
  if (knobs.callback_receipt)
    items.push({ Name: 'MpesaReceiptNumber', Value: prompt.receipt ?? 'SIM0000000' });
  if (knobs.callback_balance === 'no_value') items.push({ Name: 'Balance' });
  if (knobs.callback_balance === 'value') items.push({ Name: 'Balance', Value: typed(125_400) });
  items.push({ Name: 'TransactionDate', Value: typed(Number(formatEatTimestamp(paidAt))) });
  if (knobs.callback_phone === 'masked') {
    items.push({ Name: 'PhoneNumber', Value: `${prompt.msisdn.slice(0, 4)}*****${prompt.msisdn.slice(-3)}` });
  } else if (knobs.callback_phone === 'full') {
    items.push({ Name: 'PhoneNumber', Value: typed(Number(prompt.msisdn)) });
  }
  return knobs.callback_shuffle ? shuffle(items, random) : items;
}

/** The raw body, compact on one line as in production captures. */
export function callbackBody(prompt: Prompt, knobs: Knobs, random: () => number): string {
  if (knobs.callback_body !== null) return knobs.callback_body;
  const code = knobs.callback_result_code ?? prompt.result_code ?? '1037';
  const numeric = /^\d+$/.test(code) && knobs.callback_types !== 'string';
  const stkCallback: Record<string, unknown> = {
    MerchantRequestID: prompt.merchant_request_id,
    CheckoutRequestID: prompt.checkout_request_id,
    ResultCode: numeric ? Number(code) : code,
    ResultDesc: resultProse(code, 'callback'),
  };
  if (code === '0') {
    const paidAt = prompt.decided_at ?? prompt.sent_at;
    stkCallback.CallbackMetadata = { Item: metadataItems(prompt, knobs, paidAt, random) };
  }
  const json = JSON.stringify({ Body: { stkCallback } });
  if (knobs.callback_types !== 'decimal') return json;
  // JSON.stringify cannot write 20.00; older production bodies have exactly that.
  return json.replace(/("Name":"Amount","Value":)(\d+)}/, '$1$2.00}');
}

/** One POST, one try, whatever the answer: Daraja never delivers a callback again. */
export async function sendCallback(
  prompt: Prompt,
  knobs: Knobs,
  outside: { now: () => number; random: () => number; signal: AbortSignal },
): Promise<Delivery> {
  const headers: Record<string, string> = {};
  if (knobs.callback_shortcode_header) {
    headers.businessshortcode = knobs.callback_shortcode ?? prompt.shortcode;
  }
  const { text: _, ...delivery } = await postOnce(
    prompt.callback_url,
    callbackBody(prompt, knobs, outside.random),
    { ...headers, ...knobs.callback_headers },
    { ...outside, timeoutMs: knobs.callback_timeout_ms },
  );
  return delivery;
}
