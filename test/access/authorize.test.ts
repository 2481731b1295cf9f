// The decision: every reason for a no, and the nearest end of a yes.
import { describe, expect, it } from 'vitest';
import {
  type AccessFacts,
  authorize,
  type EntitlementFacts,
  endReason,
  REJECT_MESSAGES,
} from '../../src/access/authorize.ts';
import { NO_FINER_TERMS } from '../../src/access/terms.ts';
import { NOW } from './fixtures.ts';

const running: EntitlementFacts = {
  id: 'e1',
  state: 'active',
  ends_at: NOW + 1_800_000,
  not_before_at: null,
  end_reason: null,
  validity_seconds: 3600,
  online_seconds: null,
  quota_octets: null,
  rate_down_kbps: 5000,
  rate_up_kbps: 2000,
  max_devices: 1,
  ...NO_FINER_TERMS,
  used_seconds: 0,
  used_upload_octets: 0,
  used_download_octets: 0,
};
const waiting: Partial<EntitlementFacts> = { state: 'waiting', ends_at: null };

function facts(
  entitlement: Partial<EntitlementFacts> | undefined,
  change: Partial<AccessFacts> = {},
): AccessFacts {
  return {
    credential_state: 'active',
    subscriber_state: 'active',
    entitlement: entitlement && { ...running, ...entitlement },
    router_id: null,
    static_address: null,
    other_devices: 0,
    ...change,
  };
}

describe('access is refused', () => {
  it.each([
    ['disabled', facts({}, { credential_state: 'disabled' })],
    ['disabled', facts(undefined, { credential_state: 'disabled', subscriber_state: 'suspended' })],
    ['suspended', facts({}, { subscriber_state: 'suspended' })],
    ['no_entitlement', facts(undefined)],
    ['expired', facts({ ends_at: NOW })],
    ['expired', facts({ ends_at: NOW - 1 })],
    ['expired', facts({ state: 'ended', end_reason: 'expired' })],
    ['expired', facts({ state: 'ended', end_reason: null })],
    ['quota_used', facts({ state: 'ended', end_reason: 'quota_used' })],
    ['online_time_used', facts({ state: 'ended', end_reason: 'online_time_used' })],
    ['revoked', facts({ state: 'revoked', end_reason: 'refunded' })],
    ['quota_used', facts({ quota_octets: 100, used_upload_octets: 40, used_download_octets: 60 })],
    ['quota_used', facts({ quota_octets: 0 })],
    ['quota_used', facts({ ...waiting, quota_octets: 10, used_download_octets: 10 })],
    ['quota_used', facts({ upload_quota_octets: 10, used_upload_octets: 10 })],
    ['quota_used', facts({ download_quota_octets: 10, used_download_octets: 11 })],
    ['online_time_used', facts({ online_seconds: 600, used_seconds: 600 })],
    ['too_many_devices', facts({}, { other_devices: 1 })],
    ['too_many_devices', facts({ max_devices: 3 }, { other_devices: 3 })],
    // Over is told before full: buying again helps, disconnecting a device does not.
    ['expired', facts({ ends_at: NOW }, { other_devices: 5 })],
  ] as const)('as %s', (reason, given) => {
    expect(authorize(given, NOW, true, 'router-1')).toEqual({ accept: false, reason });
    expect(REJECT_MESSAGES[reason]).toMatch(/^[A-Z].*\.$/);
  });

  it('before its start, saying when that is, by a clock that is trusted', () => {
    const later = facts({ ...waiting, not_before_at: NOW + 86_400_000 });
    expect(authorize(later, NOW, true, 'router-1')).toEqual({
      accept: false,
      reason: 'not_yet',
      message: 'Your plan starts on 16/01/2027 at 11:00. Please come back then.',
    });
    expect(authorize(later, NOW + 86_400_000, true, 'router-1')).toMatchObject({ accept: true });
    expect(authorize(later, NOW, false, 'router-1')).toMatchObject({ accept: true });
  });

  it('outside the hours of the plan, naming them', () => {
    const night = facts({ hours_from_minute: 22 * 60, hours_to_minute: 6 * 60 + 30 });
    expect(authorize(night, NOW, true, 'router-1')).toEqual({
      accept: false,
      reason: 'outside_hours',
      message: 'Your plan works from 22:00 to 06:30. Please come back then.',
    });
    // A plan that is over is over at any hour.
    const over = facts({ hours_from_minute: 22 * 60, hours_to_minute: 360, ends_at: NOW });
    expect(authorize(over, NOW, true, 'router-1')).toMatchObject({ reason: 'expired' });
  });
});

describe('access is given', () => {
  const given = (change: Partial<EntitlementFacts>, trusted = true, more: Partial<AccessFacts> = {}) => {
    const decision = authorize(facts(change, more), NOW, trusted, 'router-1');
    if (!decision.accept) throw new Error(decision.reason);
    return decision;
  };

  it('with the plan’s rates and the entitlement it counts for', () => {
    expect(given({})).toEqual({
      accept: true,
      entitlement_id: 'e1',
      session_timeout_seconds: 1800,
      octets_left: null,
      upload_octets_left: null,
      download_octets_left: null,
      rate_down_kbps: 5000,
      rate_up_kbps: 2000,
      burst_rate_down_kbps: null,
      burst_rate_up_kbps: null,
      burst_threshold_down_kbps: null,
      burst_threshold_up_kbps: null,
      burst_seconds: null,
      idle_timeout_seconds: null,
      address_pool: null,
      address_list: null,
      static_address: null,
    });
  });

  it('with the bursts, the idle timeout and the names on the router that the plan has', () => {
    const finer = {
      burst_rate_down_kbps: 10_000,
      burst_rate_up_kbps: 4000,
      burst_threshold_down_kbps: 4000,
      burst_threshold_up_kbps: 1000,
      burst_seconds: 10,
      idle_timeout_seconds: 600,
      address_pool: 'guests',
      address_list: 'paid',
    };
    expect(given(finer)).toMatchObject(finer);
  });

  it.each([
    ['the rest of its validity', {}, 1800],
    ['a started second as a whole one', { ends_at: NOW + 1 }, 1],
    ['the whole validity while it waits', waiting, 3600],
    ['the online time when that is nearer', { online_seconds: 700, used_seconds: 100 }, 600],
    ['the validity when that is nearer', { online_seconds: 9999 }, 1800],
    ['the online time of one that waits', { ...waiting, online_seconds: 60 }, 60],
    // NOW is 11:00 in Nairobi.
    ['the end of its hours when that is nearer', { hours_from_minute: 600, hours_to_minute: 670 }, 600],
    ['the validity when its hours go on', { hours_from_minute: 600, hours_to_minute: 720 }, 1800],
    [
      'the end of its hours while it waits',
      { ...waiting, hours_from_minute: 1380, hours_to_minute: 661 },
      60,
    ],
    ['nothing when nothing ends', { ends_at: null }, null],
  ] as const)('until %s', (_, change, seconds) => {
    expect(given(change).session_timeout_seconds).toBe(seconds);
  });

  it('with what is left of the quota in both directions', () => {
    expect(
      given({ quota_octets: 1000, used_upload_octets: 100, used_download_octets: 300 }).octets_left,
    ).toBe(600);
    expect(given({ quota_octets: 2 ** 40 }).octets_left).toBe(2 ** 40);
  });

  it('with what is left of the quota of each direction', () => {
    const quotas = { upload_quota_octets: 500, download_quota_octets: 800 };
    expect(given({ ...quotas, used_upload_octets: 100, used_download_octets: 300 })).toMatchObject({
      octets_left: null,
      upload_octets_left: 400,
      download_octets_left: 500,
    });
  });

  const fair = { quota_octets: 100, fair_use_rate_down_kbps: 1000, fair_use_rate_up_kbps: 9000 };
  it('at the plan’s rate before a quota that a fair-use rate follows, and no quota is told', () => {
    expect(given({ ...fair, used_download_octets: 99 })).toMatchObject({
      octets_left: null,
      rate_down_kbps: 5000,
      rate_up_kbps: 2000,
    });
  });

  it.each([
    ['both directions', { used_download_octets: 60, used_upload_octets: 40 }],
    ['the upload', { quota_octets: null, upload_quota_octets: 5, used_upload_octets: 5 }],
    ['the download', { quota_octets: null, download_quota_octets: 5, used_download_octets: 5 }],
  ] as const)('at the fair-use rate after the quota of %s, never faster than before', (_, used) => {
    const bursts = { burst_rate_down_kbps: 9000, burst_threshold_down_kbps: 1000, burst_seconds: 5 };
    expect(given({ ...fair, ...bursts, ...used })).toMatchObject({
      octets_left: null,
      upload_octets_left: null,
      download_octets_left: null,
      rate_down_kbps: 1000,
      rate_up_kbps: 2000,
      burst_rate_down_kbps: null,
      burst_threshold_down_kbps: null,
      burst_seconds: null,
    });
  });

  it('at a fair-use rate still ends by its time', () => {
    const over = { ...fair, used_download_octets: 100, ends_at: NOW };
    expect(authorize(facts(over), NOW, true, 'router-1')).toMatchObject({ reason: 'expired' });
  });

  it('to as many devices as the plan has', () => {
    expect(given({ max_devices: 3 }, true, { other_devices: 2 }).accept).toBe(true);
  });

  it('to one device too many where the oldest gives way, saying how many may stay', () => {
    const plan = { device_policy: 'replace_oldest', max_devices: 2 } as const;
    expect(given(plan, true, { other_devices: 1 }).devices_beside).toBeUndefined();
    expect(given(plan, true, { other_devices: 2 }).devices_beside).toBe(1);
    expect(given(plan, true, { other_devices: 5 }).devices_beside).toBe(1);
  });

  it('by no clock that is not trusted: nothing expires, counted limits hold', () => {
    expect(given({ ends_at: NOW - 99 }, false).session_timeout_seconds).toBeNull();
    expect(given({ hours_from_minute: 0, hours_to_minute: 1 }, false).session_timeout_seconds).toBeNull();
    expect(given({ online_seconds: 60 }, false).session_timeout_seconds).toBe(60);
    expect(given(waiting, false).session_timeout_seconds).toBe(3600);
    expect(authorize(facts({ quota_octets: 0 }), NOW, false, 'router-1')).toMatchObject({
      reason: 'quota_used',
    });
  });
});

describe('the reason an entitlement is over', () => {
  it('is the clock first, then the data, then the time online', () => {
    const used = { quota_octets: 0, online_seconds: 0 };
    expect(endReason({ ...running, ...used, ends_at: NOW }, NOW, true)).toBe('expired');
    expect(endReason({ ...running, ...used, ends_at: NOW }, NOW, false)).toBe('quota_used');
    expect(endReason({ ...running, online_seconds: 0 }, NOW, true)).toBe('online_time_used');
    expect(endReason(running, NOW, true)).toBeUndefined();
  });
});
