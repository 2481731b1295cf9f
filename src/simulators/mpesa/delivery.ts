// Posts one notice to our side, once.

/** One delivery: the status our side answered, or why there was none. */
export type Delivery = { at: number; http_status: number | null; error: string | null };

/** One POST, one try, whatever the answer: Daraja never delivers a notice again. `text` is the answer's body. */
export async function postOnce(
  url: string,
  body: string,
  headers: Record<string, string>,
  outside: { now: () => number; signal: AbortSignal; timeoutMs: number },
): Promise<Delivery & { text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json;charset=UTF-8', connection: 'close', ...headers },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([outside.signal, AbortSignal.timeout(outside.timeoutMs)]),
    });
    const text = await response.text();
    return { at: outside.now(), http_status: response.status, error: null, text };
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    const error = cause instanceof Error ? cause.message || cause.name : String(cause);
    return { at: outside.now(), http_status: null, error, text: '' };
  }
}
