// Decides, from facts alone, whether a credential may use the network, how fast, until when.
import type { Terms } from '../db/schema.ts';

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
  too_many_devices: 'Too many devices. Disconnect another device first.',
};

export interface Accept {
  accept: true;
  entitlement_id: string;
  /** Seconds until the nearest end; null when nothing ends (the clock is not trusted). */
  session_timeout_seconds: number | null;
  /** Octets left in both directions; null when unlimited. */
  octets_left: number | null;
  rate_down_kbps: number | null;
  rate_up_kbps: number | null;
}
export interface Reject {
  accept: false;
  reason: RejectReason;
}
export type Decision = Accept | Reject;

/** The entitlement as far as a decision needs it. */
export interface EntitlementFacts extends Terms {
  id: string;
  state: 'waiting' | 'active' | 'ended' | 'revoked';
  ends_at: number | null;
  end_reason: string | null;
  used_seconds: number;
  used_upload_octets: number;
  used_download_octets: number;
}

export interface AccessFacts {
  credential_state: 'active' | 'disabled';
  subscriber_state: 'active' | 'suspended';
  entitlement: EntitlementFacts | undefined;
  /** Open sessions of this credential on other devices. */
  other_devices: number;
}

/** Why an entitlement that still counts as running is over at this instant; undefined while it is not. */
export function endReason(
  entitlement: EntitlementFacts,
  now: number,
  clockTrusted: boolean,
): 'expired' | 'quota_used' | 'online_time_used' | undefined {
  const used = entitlement.used_upload_octets + entitlement.used_download_octets;
  if (clockTrusted && entitlement.ends_at !== null && entitlement.ends_at <= now) return 'expired';
  if (entitlement.quota_octets !== null && used >= entitlement.quota_octets) return 'quota_used';
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

/**
 * The decision for a password that was right. `now` in epoch ms; while the clock is not trusted nothing expires by it
 * (DESIGN promise 8), and counted limits still hold.
 */
export function authorize(facts: AccessFacts, now: number, clockTrusted: boolean): Decision {
  const reject = (reason: RejectReason): Reject => ({ accept: false, reason });
  if (facts.credential_state !== 'active') return reject('disabled');
  if (facts.subscriber_state !== 'active') return reject('suspended');
  const entitlement = facts.entitlement;
  if (!entitlement) return reject('no_entitlement');
  if (entitlement.state === 'ended' || entitlement.state === 'revoked')
    return reject(endedReason(entitlement));
  const over = endReason(entitlement, now, clockTrusted);
  if (over) return reject(over);
  if (facts.other_devices >= entitlement.max_devices) return reject('too_many_devices');

  const ends: number[] = [];
  if (entitlement.state === 'waiting') ends.push(entitlement.validity_seconds);
  else if (entitlement.ends_at !== null && clockTrusted)
    ends.push(Math.ceil((entitlement.ends_at - now) / 1000));
  if (entitlement.online_seconds !== null) ends.push(entitlement.online_seconds - entitlement.used_seconds);
  const used = entitlement.used_upload_octets + entitlement.used_download_octets;
  return {
    accept: true,
    entitlement_id: entitlement.id,
    session_timeout_seconds: ends.length > 0 ? Math.min(...ends) : null,
    octets_left: entitlement.quota_octets === null ? null : entitlement.quota_octets - used,
    rate_down_kbps: entitlement.rate_down_kbps,
    rate_up_kbps: entitlement.rate_up_kbps,
  };
}
