// The texts that RouterOS writes for times, flags and versions.

const unitMilliseconds: Readonly<Record<string, number>> = {
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  ns: 0.000001,
};

/**
 * Milliseconds of a RouterOS time: `1w2d3h4m5s`, `1s100ms`, `00:05:00`, `1d02:00:00`, since 7.x also `3d00:00:00`;
 * a bare number is seconds. Undefined for anything else (`none`, `never`, empty).
 */
export function parseDurationMs(text: string): number | undefined {
  const clock = /^(?:(\d+)w)?(?:(\d+)d)?(\d+):(\d{2}):(\d{2})(?:\.(\d{1,9}))?$/.exec(text);
  if (clock) {
    const [, weeks = '0', days = '0', hours, minutes, seconds, fraction = '0'] = clock;
    const whole = ((Number(weeks) * 7 + Number(days)) * 24 + Number(hours)) * 3600 + Number(minutes) * 60;
    return (whole + Number(seconds)) * 1000 + Number(`0.${fraction}`) * 1000;
  }
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(ms|us|ns|[wdhms]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|us|ns|[wdhms])/g)) {
    total += Number(amount) * unitMilliseconds[unit!]!;
  }
  return total;
}

/** Whole seconds of a RouterOS time, as parseDurationMs. */
export function parseDuration(text: string): number | undefined {
  const milliseconds = parseDurationMs(text);
  return milliseconds === undefined ? undefined : Math.floor(milliseconds / 1000);
}

/** Writes seconds as RouterOS does: `1w2d3h4m5s`, zero is `0s`. */
export function formatDuration(seconds: number): string {
  let left = Math.max(0, Math.floor(seconds));
  let text = '';
  for (const unit of ['w', 'd', 'h', 'm', 's']) {
    const length = unitMilliseconds[unit]! / 1000;
    const amount = Math.floor(left / length);
    left -= amount * length;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text === '' ? '0s' : text;
}

/** `true` and `yes` are true, everything else and nothing is false. */
export function parseFlag(text: string | undefined): boolean {
  return text === 'true' || text === 'yes';
}

export interface RouterVersion {
  major: number;
  minor: number;
  patch: number;
}

/** `7.15.3 (stable)`, `7.16beta2`, `6.49.21 (long-term)`; undefined when there is no version in it. */
export function parseVersion(text: string): RouterVersion | undefined {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (!match) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

/** Whether `version` is `other` or later; a beta counts as its release. */
export function isAtLeast(version: RouterVersion, other: RouterVersion): boolean {
  if (version.major !== other.major) return version.major > other.major;
  if (version.minor !== other.minor) return version.minor > other.minor;
  return version.patch >= other.patch;
}
