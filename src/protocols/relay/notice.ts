// What a store-and-forward relay hands to a box: the shapes and limits of docs/relay.md.

/** One notice as the relay took it in. */
export interface RelayNotice {
  /** Rises by arrival within a stream; the box acknowledges up to one of these. */
  sequence: number;
  /** Epoch ms by the relay's clock. */
  received_at: number;
  /** Who connected to the relay. */
  source_address: string | null;
  /** From `/cb/` on, with its query: what was asked of the relay behind the box's own prefix. */
  path: string;
  /** Names in lower case; only those of KEPT_HEADERS. */
  headers: Record<string, string>;
  /** The octets of the body, base64. */
  body: string;
}

export interface RelayPage {
  /** Names one unbroken row of sequences; another one means that the relay began anew. */
  stream: string;
  /** Oldest first, without a gap among those that are kept. */
  notices: RelayNotice[];
  /** How many are kept, these included. */
  waiting: number;
}

/** The largest body that a relay takes, octets: the same as the callback door's. */
export const RELAY_BODY_OCTETS = 64 * 1024;
/** The most notices of one answer. */
export const RELAY_PAGE = 50;
/** The longest that a relay holds a question open, seconds: shorter than what proxies allow. */
export const RELAY_WAIT_SECONDS = 25;
/** Headers that travel with a notice. */
export const KEPT_HEADERS = ['content-type', 'businessshortcode', 'user-agent'] as const;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readNotice(value: unknown): RelayNotice | undefined {
  if (!isObject(value) || !isObject(value.headers)) return undefined;
  const { sequence, received_at, source_address, path, headers, body } = value;
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 1) return undefined;
  if (typeof received_at !== 'number' || typeof body !== 'string') return undefined;
  if (typeof path !== 'string' || !path.startsWith('/cb/')) return undefined;
  const texts = Object.entries(headers).filter(
    ([name, text]) => typeof text === 'string' && (KEPT_HEADERS as readonly string[]).includes(name),
  );
  return {
    sequence: sequence as number,
    received_at,
    source_address: typeof source_address === 'string' ? source_address : null,
    path,
    headers: Object.fromEntries(texts) as Record<string, string>,
    body,
  };
}

/** Reads a page; undefined for anything that is none, or whose sequences do not rise. */
export function readRelayPage(value: unknown): RelayPage | undefined {
  if (!isObject(value) || typeof value.stream !== 'string' || !Array.isArray(value.notices)) return undefined;
  const notices: RelayNotice[] = [];
  for (const one of value.notices) {
    const notice = readNotice(one);
    if (!notice || notice.sequence <= (notices.at(-1)?.sequence ?? 0)) return undefined;
    notices.push(notice);
  }
  const waiting = typeof value.waiting === 'number' ? value.waiting : notices.length;
  return { stream: value.stream, notices, waiting };
}
