// Says by itself what a guest may do at an instant, as the README's decisions have it, without a line of the server's own code.
import type { Row } from '../../src/db/schema.ts';

export type Right = Row<'entitlements'>;

const DAY = 86_400_000;
const EAT = 3 * 3600_000;

/** Milliseconds until the hours of the day close: 0 while they are closed, Infinity where there are none. */
export function hoursLeft(right: Right, now: number): number {
  if (right.hours_from_minute === null || right.hours_to_minute === null) return Number.POSITIVE_INFINITY;
  const from = right.hours_from_minute * 60_000;
  const to = right.hours_to_minute * 60_000;
  const at = (now + EAT) % DAY;
  if (from < to) return at >= from && at < to ? to - at : 0;
  if (at >= from) return DAY - at + to;
  return at < to ? to - at : 0;
}

/** The instant at which the hours last opened; -Infinity where there are none. */
export function openedAt(right: Right, now: number): number {
  if (right.hours_from_minute === null) return Number.NEGATIVE_INFINITY;
  return now - ((now + EAT - right.hours_from_minute * 60_000 + DAY) % DAY);
}

/** What is left of each quota: in all, up, down; Infinity where there is none. */
export function quotas(right: Right): { total: number; up: number; down: number } {
  const left = (quota: number | null, used: number) => (quota ?? Number.POSITIVE_INFINITY) - used;
  const { used_upload_octets: up, used_download_octets: down } = right;
  return {
    total: left(right.quota_octets, up + down),
    up: left(right.upload_quota_octets, up),
    down: left(right.download_quota_octets, down),
  };
}

export function goesOnSlow(right: Right): boolean {
  return right.fair_use_rate_down_kbps !== null || right.fair_use_rate_up_kbps !== null;
}

export function dataUsed(right: Right): boolean {
  return Math.min(...Object.values(quotas(right))) <= 0;
}

export function isSlow(right: Right): boolean {
  return goesOnSlow(right) && dataUsed(right);
}

/** Why what was granted is over, as far as its own terms say; none while it is not. */
export function endings(right: Right, now: number): string[] {
  return [
    ...(right.ends_at !== null && right.ends_at <= now ? ['expired'] : []),
    ...(dataUsed(right) && !goesOnSlow(right) ? ['quota_used'] : []),
    ...(right.online_seconds !== null && right.used_seconds >= right.online_seconds
      ? ['online_time_used']
      : []),
  ];
}

export function isOpen(right: Right, now: number): boolean {
  return (right.state === 'active' || right.state === 'waiting') && endings(right, now).length === 0;
}

export function mayRun(right: Right, now: number): boolean {
  if (!isOpen(right, now) || hoursLeft(right, now) === 0) return false;
  return right.state === 'active' || (right.not_before_at ?? 0) <= now;
}

/**
 * What should run now: the first that may. What began and is fast goes first, then what was bought while it was slow,
 * then what is slow, then what waits, in the order of the earliest start and of the buying.
 */
export function shouldRun(rights: Right[], now: number): Right | undefined {
  const slowOne = rights.some((right) => right.state === 'active' && isOpen(right, now) && isSlow(right));
  const rank = (right: Right) => {
    if (right.state === 'active') return isSlow(right) ? 2 : 0;
    return right.overtakes && slowOne ? 1 : 3;
  };
  return rights
    .filter((right) => mayRun(right, now))
    .sort(
      (a, b) =>
        rank(a) - rank(b) ||
        (rank(a) === 3 ? (a.not_before_at ?? 0) - (b.not_before_at ?? 0) : 0) ||
        (a.id < b.id ? -1 : 1),
    )[0];
}

/** Seconds until the nearest of all its ends, were it begun now. */
export function secondsLeft(right: Right, now: number): number {
  const { ends_at, online_seconds } = right;
  return Math.min(
    right.state === 'active' && ends_at !== null ? Math.ceil((ends_at - now) / 1000) : right.validity_seconds,
    online_seconds === null ? Number.POSITIVE_INFINITY : online_seconds - right.used_seconds,
    Math.ceil(hoursLeft(right, now) / 1000),
  );
}

/** Why nobody gets in, each word that is true; `mine` are all that were ever granted. */
export function reasons(mine: Right[], now: number): string[] {
  const open = mine.filter((right) => isOpen(right, now));
  if (open.length > 0) {
    return open.flatMap((right) => [
      ...(right.state === 'waiting' && (right.not_before_at ?? 0) > now ? ['not_yet'] : []),
      ...(hoursLeft(right, now) === 0 ? ['outside_hours'] : []),
    ]);
  }
  const over = mine.filter((right) => right.state !== 'revoked').sort((a, b) => (a.id < b.id ? 1 : -1))[0];
  if (over) return [...(over.end_reason ? [over.end_reason] : []), ...endings(over, now)];
  return mine.length > 0 ? ['revoked'] : ['no_entitlement'];
}

/** Whether the next plan needs what no change gives a live session; a home's own address comes before a pool. */
export function needsNewSession(before: Right, next: Right, hasAddress: boolean): boolean {
  return (
    before.address_list !== next.address_list || (!hasAddress && before.address_pool !== next.address_pool)
  );
}

/** What an entitlement lost while the box was off, milliseconds. */
export function lostTo(off: { from: number; to: number }, right: Right): number {
  if (right.starts_at === null || right.ends_at === null) return 0;
  return Math.max(0, Math.min(off.to, right.ends_at) - Math.max(off.from, right.starts_at));
}

export type SignedIn = Pick<
  Row<'sessions'>,
  'started_at' | 'gave_way_at' | 'terminate_cause' | 'disconnect_detail'
>;

/**
 * The last of the sessions that a device had of a guest, where it may come back by its address: somebody signed in on it,
 * and since then it neither gave its place up nor was sent away by a person nor logged out.
 */
export function staysKnown(sessions: SignedIn[]): SignedIn | undefined {
  const last = sessions.toReversed().toSorted((a, b) => b.started_at - a.started_at)[0];
  if (!last || last.gave_way_at !== null || last.terminate_cause === 1) return undefined;
  return last.disconnect_detail?.startsWith('Disconnected by ') ? undefined : last;
}

/** The speed, as `up/down` of kbps; `none` where neither way is limited. */
export function speed(right: Right): string {
  const slow = isSlow(right);
  const way = (rate: number | null, slower: number | null) =>
    slow && slower !== null ? Math.min(slower, rate ?? slower) : rate;
  const up = way(right.rate_up_kbps, right.fair_use_rate_up_kbps);
  const down = way(right.rate_down_kbps, right.fair_use_rate_down_kbps);
  return up === null && down === null ? 'none' : `${up ?? 10_000_000}/${down ?? 10_000_000}`;
}

/** A Mikrotik-Rate-Limit in the same words; `0/0` takes the limit away. */
export function readSpeed(text: string | undefined): string {
  if (text === undefined || text === '0/0') return 'none';
  const kbps = (word: string) => Number.parseInt(word, 10) * (word.endsWith('M') ? 1000 : 1);
  return text.split('/').map(kbps).join('/');
}

/** What a refusal says to the guest, as the reason it stands for. */
export function readReason(text: string): string {
  const words: [RegExp, string][] = [
    [/suspended/, 'suspended'],
    [/quota reached/, 'quota_used'],
    [/online time is used/, 'online_time_used'],
    [/expired/, 'expired'],
    [/withdrawn/, 'revoked'],
    [/works from/, 'outside_hours'],
    [/plan starts on/, 'not_yet'],
    [/Too many devices/, 'too_many_devices'],
    [/No plan is running/, 'no_entitlement'],
    [/Unknown code/, 'unknown_user'],
    [/switched off/, 'disabled'],
    [/not allowed at this place/, 'other_router'],
  ];
  return words.find(([pattern]) => pattern.test(text))?.[1] ?? text;
}
