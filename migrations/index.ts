// Every migration in the order it runs. Append only.
import type { Migration } from 'kysely';
import * as start from './0001-start.ts';
import * as outages from './0002-outages.ts';
import * as subscribers from './0003-subscribers.ts';
import * as devices from './0004-devices.ts';
import * as usage from './0005-usage.ts';
import * as evidence from './0007-evidence.ts';
import * as ledger from './0008-ledger.ts';
import * as match from './0009-match.ts';
import * as settle from './0010-settle.ts';
import * as statements from './0010-statements.ts';
import * as desk from './0011-desk.ts';

export const migrations: Record<string, Migration> = {
  '0001-start': start,
  '0002-outages': outages,
  '0003-subscribers': subscribers,
  '0004-devices': devices,
  '0005-usage': usage,
  '0007-evidence': evidence,
  '0008-ledger': ledger,
  '0009-match': match,
  '0010-settle': settle,
  '0010-statements': statements,
  '0011-desk': desk,
};
