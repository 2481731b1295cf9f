// Decides, from facts alone, whether a credential may use the network, how fast, until when.
import type { Terms } from '../db/schema.ts';
import { dateText } from '../lib/days.ts';
import { hoursText, openFor } from './hours.ts';
import { hasFairUse } from './terms.ts';

/** Why access is refused; shown in the sign-in log in these words. */
export type RejectReason =
  | 'unknown_user'
  | 'bad_password'
  | 'locked_out'
  | 'unsupported_method'
  | 'disabled'
  | 'suspended'
  | 'no_entitlement'
  | 'expired'
  | 'quota_used'
  | 'online_time_used'
  | 'revoked'
  | 'other_router'
  | 'outside_hours'
  | 'not_yet'
  | 'too_many_devices';

/** What the guest reads on the login page: what is wrong, then what to do. */
export const REJECT_MESSAGES: Record<RejectReason, string> = {
  unknown_user: 'Unknown code or user name. Check it and try again.',
  bad_password: 'Wrong password. Check it and try again.',
  locked_out: 'Too many wrong codes. Wait five minutes.',
  unsupported_method: 'This way of signing in is not possible here. Use a code or a password.',
  disabled: 'This access is switched off. Please ask the operator.',
  suspended: 'This account is suspended. Please ask the operator.',
  no_entitlement: 'No plan is running. Please buy one.',
  expired: 'Your plan has expired. Please buy again.',
  quota_used: 'Your data is used up (quota reached). Please buy again.',
  online_time_used: 'Your online time is used up. Please buy again.',
  revoked: 'This access was withdrawn. Please ask the operator.',
  other_router: 'This access is not allowed at this place. Please ask the operator.',
  outside_hours: 'Your plan is for other hours of the day.',
  not_yet: 'Your plan has not started yet.',
  too_many_devices: 'Too many devices. Disconnect another device first.',
};

export interface Accept {
  accept: true;
  entitlement_id: string;
  /** Seconds until the nearest end; null when nothing ends (the clock is not trusted). */
  session_timeout_seconds: number | null;
  /** Octets left in both directions; null when unlimited. */
  octets_left: number | null;
  upload_octets_left: number | null;
  download_octets_left: number | null;
  rate_down_kbps: number | null;
  rate_up_kbps: number | null;
  burst_rate_down_kbps: number | null;
  burst_rate_up_kbps: number | null;
  burst_threshold_down_kbps: number | null;
  burst_threshold_up_kbps: number | null;
  burst_seconds: number | null;
  idle_timeout_seconds: number | null;
  address_pool: string | null;
  address_list: string | null;
  static_address: string | null;
  /** As many devices may stay beside this one; set where the oldest ones over it must go. */
  devices_beside?: number;
}
export interface Reject {
  accept: false;
  reason: RejectReason;
  /** What the guest reads, where it says more than the reason alone. */
  message?: string;
}
export type Decision = Accept | Reject;

/** The entitlement as far as a decision needs it. */
export interface EntitlementFacts extends Terms {
  id: string;
  state: 'waiting' | 'active' | 'ended' | 'revoked';
  ends_at: number | null;
  not_before_at: number | null;
  end_reason: string | null;
  used_seconds: number;
  used_upload_octets: number;
  used_download_octets: number;
}

export interface AccessFacts {
  credential_state: 'active' | 'disabled';
  subscriber_state: 'active' | 'suspended';
  /** The one router it may sign in through; null is any. */
  router_id: string | null;
  static_address: string | null;
  entitlement: EntitlementFacts | undefined;
  /** Open sessions of this credential on other devices. */
  other_devices: number;
}

/** What is left of a quota after what was used; null when there is none. */
function left(quota: number | null, used: number): number | null {
  return quota === null ? null : quota - used;
}

function usedUp(octetsLeft: number | null): boolean {
  return octetsLeft !== null && octetsLeft <= 0;
}

/** What is left of each quota. */
function quotasLeft(entitlement: EntitlementFacts) {
  const { used_upload_octets: up, used_download_octets: down } = entitlement;
  return {
    octets_left: left(entitlement.quota_octets, up + down),
    upload_octets_left: left(entitlement.upload_quota_octets, up),
    download_octets_left: left(entitlement.download_quota_octets, down),
  };
}

/** Whether one of the quotas is used up. */
export function quotaReached(entitlement: EntitlementFacts): boolean {
  const { octets_left, upload_octets_left, download_octets_left } = quotasLeft(entitlement);
  return usedUp(octets_left) || usedUp(upload_octets_left) || usedUp(download_octets_left);
}

/** Whether it goes on at its fair-use rate, since a quota of it is used up. */
export function isSlow(entitlement: EntitlementFacts): boolean {
  return hasFairUse(entitlement) && quotaReached(entitlement);
}

/** Why an entitlement that still counts as running is over at this instant; undefined while it is not. */
export function endReason(
  entitlement: EntitlementFacts,
  now: number,
  clockTrusted: boolean,
): 'expired' | 'quota_used' | 'online_time_used' | undefined {
  if (clockTrusted && entitlement.ends_at !== null && entitlement.ends_at <= now) return 'expired';
  if (quotaReached(entitlement) && !hasFairUse(entitlement)) return 'quota_used';
  if (entitlement.online_seconds !== null && entitlement.used_seconds >= entitlement.online_seconds) {
    return 'online_time_used';
  }
  return undefined;
}

function endedReason(entitlement: EntitlementFacts): RejectReason {
  if (entitlement.state === 'revoked') return 'revoked';
  const reason = entitlement.end_reason;
  return reason === 'quota_used' || reason === 'online_time_used' ? reason : 'expired';
}

const NO_QUOTA = { octets_left: null, upload_octets_left: null, download_octets_left: null };

/** The speed now: the plan's, or after the quota the fair-use rate, without bursts, and never faster than the plan. */
export function currentRates(entitlement: EntitlementFacts) {
  const slow = isSlow(entitlement);
  const {
    rate_down_kbps: down,
    rate_up_kbps: up,
    fair_use_rate_down_kbps: slowDown,
    fair_use_rate_up_kbps: slowUp,
  } = entitlement;
  return {
    rate_down_kbps: slow && slowDown !== null ? Math.min(slowDown, down ?? slowDown) : down,
    rate_up_kbps: slow && slowUp !== null ? Math.min(slowUp, up ?? slowUp) : up,
    burst_rate_down_kbps: slow ? null : entitlement.burst_rate_down_kbps,
    burst_rate_up_kbps: slow ? null : entitlement.burst_rate_up_kbps,
    burst_threshold_down_kbps: slow ? null : entitlement.burst_threshold_down_kbps,
    burst_threshold_up_kbps: slow ? null : entitlement.burst_threshold_up_kbps,
    burst_seconds: slow ? null : entitlement.burst_seconds,
  };
}

/** How many devices may be online at once: two cannot share one address. */
export function placesOf(
  { max_devices }: Pick<Terms, 'max_devices'>,
  { static_address }: Pick<AccessFacts, 'static_address'>,
): number {
  return static_address === null ? max_devices : 1;
}

/**
 * The decision for a password that was right. `now` in epoch ms; while the clock is not trusted nothing expires by it
 * (DESIGN promise 8), and counted limits still hold. `routerId` is the router that asks.
 */
export function authorize(
  facts: AccessFacts,
  now: number,
  clockTrusted: boolean,
  routerId: string,
): Decision {
  const reject = (reason: RejectReason): Reject => ({ accept: false, reason });
  if (facts.credential_state !== 'active') return reject('disabled');
  if (facts.subscriber_state !== 'active') return reject('suspended');
  if (facts.router_id !== null && facts.router_id !== routerId) return reject('other_router');
  const entitlement = facts.entitlement;
  if (!entitlement) return reject('no_entitlement');
  if (entitlement.state === 'ended' || entitlement.state === 'revoked')
    return reject(endedReason(entitlement));
  const over = endReason(entitlement, now, clockTrusted);
  if (over) return reject(over);
  // A clock that is behind must not keep out who may be in by now.
  const from = entitlement.not_before_at;
  if (clockTrusted && entitlement.state === 'waiting' && from !== null && from > now) {
    const message = `Your plan starts on ${dateText(from)}. Please come back then.`;
    return { accept: false, reason: 'not_yet', message };
  }
  // A clock that is not trusted does not know the hour.
  const open = clockTrusted ? openFor(entitlement, now) : undefined;
  if (open === 0) {
    const message = `Your plan works from ${hoursText(entitlement)?.replace('–', ' to ')}. Please come back then.`;
    return { accept: false, reason: 'outside_hours', message };
  }
  const places = placesOf(entitlement, facts);
  const full = facts.other_devices >= places;
  if (full && entitlement.device_policy === 'refuse') return reject('too_many_devices');

  const ends: number[] = [];
  if (entitlement.state === 'waiting') ends.push(entitlement.validity_seconds);
  else if (entitlement.ends_at !== null && clockTrusted)
    ends.push(Math.ceil((entitlement.ends_at - now) / 1000));
  if (entitlement.online_seconds !== null) ends.push(entitlement.online_seconds - entitlement.used_seconds);
  if (open !== undefined) ends.push(Math.ceil(open / 1000));
  return {
    accept: true,
    entitlement_id: entitlement.id,
    session_timeout_seconds: ends.length > 0 ? Math.min(...ends) : null,
    // With a fair-use rate no quota ends the session, so the router is told of none.
    ...(hasFairUse(entitlement) ? NO_QUOTA : quotasLeft(entitlement)),
    ...currentRates(entitlement),
    idle_timeout_seconds: entitlement.idle_timeout_seconds,
    // An address of its own wins over the pool (routeros.md §1.4).
    address_pool: facts.static_address === null ? entitlement.address_pool : null,
    address_list: entitlement.address_list,
    static_address: facts.static_address,
    ...(full ? { devices_beside: places - 1 } : {}),
  };
}
