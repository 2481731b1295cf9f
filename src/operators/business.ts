// The operator's business as guests and forms see it.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';

const KEY = 'business';

export interface BusinessSettings {
  name: string;
  currency: string;
  support_phone: string | null;
  /** Where phones reach the portal, `http://10.5.48.2:8081`; null until the operator says. */
  portal_url: string | null;
  /** Where routers reach this box, an IP address. */
  appliance_address: string | null;
  default_language: 'en' | 'sw';
}

const DEFAULTS: BusinessSettings = {
  name: 'Karibu WiFi',
  currency: 'KES',
  support_phone: null,
  portal_url: null,
  appliance_address: null,
  default_language: 'en',
};

export async function readBusiness(db: Db): Promise<BusinessSettings> {
  return { ...DEFAULTS, ...(await readSetting<Partial<BusinessSettings>>(db, KEY)) };
}

export async function updateBusiness(
  db: Db,
  change: Partial<BusinessSettings>,
  now: number,
): Promise<BusinessSettings> {
  const after = { ...(await readBusiness(db)), ...change };
  await writeSetting(db, KEY, after, now);
  return after;
}
