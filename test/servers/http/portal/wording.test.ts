// Numbers as guests read them.
import { describe, expect, it } from 'vitest';
import { REJECT_MESSAGES } from '../../../../src/access/authorize.ts';
import { paymentFailure } from '../../../../src/servers/http/portal/views/payment-failures.ts';
import { routerError } from '../../../../src/servers/http/portal/views/router-error.ts';
import {
  clockTime,
  dataSize,
  leftTime,
  planLine,
  secondsLeft,
  soldTime,
  speed,
} from '../../../../src/servers/http/portal/views/wording.ts';

const plain = (said: string) => said.replaceAll('\u00a0', ' ');
const GIB = 2 ** 30;

describe('time', () => {
  it('sells in the largest unit that fits evenly', () => {
    const said = [3600, 5400, 7200, 86_400, 604_800, 2_592_000].map((seconds) => soldTime('en', seconds));
    expect(said).toEqual(['1 hour', '90 minutes', '2 hours', '1 day', '1 week', '30 days']);
    expect(soldTime('sw', 3600)).toBe('saa 1');
  });

  it('says what is left in at most two units, rounded up to the minute', () => {
    const said = [59, 60, 61, 2557, 3600, 7500, 187_200].map((seconds) => plain(leftTime('en', seconds)));
    const minutes = ['less than a minute', '1 min', '2 min', '43 min'];
    expect(said).toEqual([...minutes, '1 h', '2 h 5 min', '2 d 4 h']);
    expect(plain(leftTime('sw', 2557))).toBe('dakika 43');
  });

  it('tells the end on the clock of Nairobi, with the day only when it is not today', () => {
    const now = Date.UTC(2026, 10, 21, 20, 30); // 23:30 in Nairobi
    expect(clockTime('en', now + 20 * 60_000, now)).toBe('today at 23:50');
    expect(clockTime('en', now + 40 * 60_000, now)).toBe('tomorrow at 00:10');
    expect(clockTime('en', now + 3 * 86_400_000, now)).toBe('Tue 24 Nov at 23:30');
    expect(clockTime('sw', now + 3 * 86_400_000, now)).toBe('Jumanne 24 Nov, 23:30');
  });

  it('counts to whichever comes first: the end or the connected time', () => {
    const base = { plan_name: 'x', max_devices: 1 };
    expect(secondsLeft({ ...base, until_at: 90_500 }, 0)).toBe(90);
    expect(secondsLeft({ ...base, until_at: 90_500, online_left_seconds: 20 }, 0)).toBe(20);
    expect(secondsLeft({ ...base, until_at: 1000 }, 5000)).toBe(0);
    expect(secondsLeft({ ...base, until_at: null }, 0)).toBeNull();
    expect(secondsLeft({ ...base, until_at: null, online_left_seconds: 20 }, 0)).toBe(20);
  });
});

describe('data and speed', () => {
  it('reads a GB as the operator meant it', () => {
    expect([dataSize(GIB), dataSize(1e9), dataSize(350 * 2 ** 20, GIB)]).toEqual(['1 GB', '1 GB', '350 MB']);
  });

  it('never shows more than there is', () => {
    expect(dataSize(1_999_999_999, 5e9)).toBe('1.9 GB');
    expect(dataSize(0, GIB)).toBe('0 KB');
  });

  it('speaks of Mbps from 1000 kbps', () => {
    expect([speed(512), speed(1000), speed(2500), speed(5000)]).toEqual([
      '512 kbps',
      '1 Mbps',
      '2.5 Mbps',
      '5 Mbps',
    ]);
  });

  it('lists what a plan gives, without what its name says', () => {
    const plan = { id: 'p', price_cents: 2000, validity_seconds: 3600, rate_down_kbps: 5000, max_devices: 1 };
    expect(plain(planLine('en', { ...plan, name: 'Quick' }))).toBe('1 hour · 5 Mbps · 1 device');
    expect(plain(planLine('en', { ...plan, name: '1 Hour' }))).toBe('5 Mbps · 1 device');
    const long = {
      ...plan,
      name: 'Big',
      validity_seconds: 604_800,
      online_seconds: 18_000,
      quota_octets: GIB,
    };
    expect(plain(planLine('sw', { ...long, max_devices: 2 }))).toBe(
      '1 GB · saa 5 mtandaoni, ndani ya wiki 1 · 5 Mbps · vifaa 2',
    );
    const fair = { ...plan, name: 'Fair', quota_octets: GIB, fair_use_rate_down_kbps: 512 };
    expect(plain(planLine('en', fair))).toBe('1 GB · 1 hour · 5 Mbps · then 512 kbps · 1 device');
    const night = { ...plan, name: 'Night', hours_from_minute: 22 * 60, hours_to_minute: 6 * 60 };
    expect(plain(planLine('en', night))).toBe('1 hour · 22:00–06:00 · 5 Mbps · 1 device');
    const ways = { ...plan, name: 'Ways', download_quota_octets: GIB, upload_quota_octets: GIB / 2 };
    expect(plain(planLine('en', ways))).toBe('1 GB download · 512 MB upload · 1 hour · 5 Mbps · 1 device');
  });
});

describe('refusals', () => {
  it('understands every Reply-Message of ours', () => {
    const understood = Object.entries(REJECT_MESSAGES).map(([reason, message]) => [
      reason,
      routerError(message),
    ]);
    expect(Object.fromEntries(understood)).toEqual({
      unknown_user: 'wrong_password',
      bad_password: 'wrong_password',
      unsupported_method: 'not_allowed',
      disabled: 'not_allowed',
      suspended: 'not_allowed',
      no_entitlement: 'no_plan',
      expired: 'expired',
      other_router: 'not_allowed',
      outside_hours: 'outside_hours',
      not_yet: 'not_yet',
      quota_used: 'quota_used',
      online_time_used: 'expired',
      revoked: 'not_allowed',
      too_many_devices: 'too_many_devices',
      locked_out: 'locked_out',
    });
  });

  it('understands the sentences of the router', () => {
    const kinds = [
      ['no more sessions are allowed for user k7hq2m', 'too_many_devices'],
      ['user k7hq2m has reached uptime limit', 'expired'],
      ['user k7hq2m has reached traffic limit', 'quota_used'],
      ['RADIUS server is not responding', 'not_answering'],
      ['invalid username or password', 'wrong_password'],
      ['web browser did not send challenge response (try again, enable JavaScript)', 'try_again'],
      ['already authorizing, retry later', 'try_again'],
      ['hotspot service is shutting down', 'try_again'],
      ['cannot assign ip address - no more free addresses from pool', 'full'],
      ['user k7hq2m is not allowed to log in from this MAC address', 'not_allowed'],
      ['hali ya hewa', 'other'],
    ];
    expect(kinds.map(([error]) => [error, routerError(error!)])).toEqual(kinds);
  });

  it('knows the result codes of M-PESA, and says unknown for others', () => {
    const codes = ['1', 1, '1032', 1037, '2001', 'SFC_IC0003', '4711', null, 'constructor'];
    expect(codes.map(paymentFailure)).toEqual([
      ...['insufficient_balance', 'insufficient_balance', 'cancelled', 'unreachable', 'wrong_pin', 'service'],
      ...['unknown', 'unknown', 'unknown'],
    ]);
  });
});
