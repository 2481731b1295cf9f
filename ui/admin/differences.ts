// What an audit entry changed, field by field, in units a person reads.
import { exactTime, formatDuration, formatMoney, formatOctets, formatRate } from '../shared/format.ts';

export interface Difference {
  field: string;
  before: string | undefined;
  after: string | undefined;
}

/** A stored value as text, by the unit its name ends with; undefined when there is none. */
function readable(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'number') {
    if (field.endsWith('_cents')) return formatMoney(value);
    if (field.endsWith('_octets')) return formatOctets(value);
    if (field.endsWith('_kbps')) return formatRate(value);
    if (field.endsWith('_seconds')) return formatDuration(value);
    if (field.endsWith('_at')) return exactTime(value);
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The suffix that only names the unit says nothing once the value is shown in it. */
function label(field: string): string {
  return field.replace(/_(cents|octets|kbps|seconds|at)$/, '');
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === 'string') {
    try {
      return asObject(JSON.parse(value));
    } catch {
      return { value }; // An entry may hold plain text.
    }
  }
  if (value === null || value === undefined) return {};
  return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : { value };
}

const UNSAID = new Set(['id', 'created_at', 'updated_at']);

/** The fields whose readable value differs, in the order they are stored. Either side may be missing. */
export function differences(before: unknown, after: unknown): Difference[] {
  const [old, now] = [asObject(before), asObject(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((field) => !UNSAID.has(field))
    .map((field) => ({
      field: label(field),
      before: readable(field, old[field]),
      after: readable(field, now[field]),
    }))
    .filter((change) => change.before !== change.after);
}
