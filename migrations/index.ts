// Every migration in the order it runs. Append only.
import type { Migration } from 'kysely';
import * as start from './0001-start.ts';
import * as outages from './0002-outages.ts';
import * as subscribers from './0003-subscribers.ts';
import * as devices from './0004-devices.ts';
import * as usage from './0005-usage.ts';
import * as evidence from './0007-evidence.ts';
import * as ledger from './0008-ledger.ts';
import * as orderWishes from './0009-order-wishes.ts';
import * as readyTasks from './0010-ready-tasks.ts';
import * as tillEvents from './0011-till-events.ts';
import * as statements from './0012-statements.ts';
import * as signIn from './0013-sign-in.ts';
import * as sessionIndexes from './0014-session-indexes.ts';
import * as devicesThatKnock from './0015-devices-that-knock.ts';
import * as notActive from './0016-not-active.ts';
import * as overtaking from './0017-overtaking.ts';

export const migrations: Record<string, Migration> = {
  '0001-start': start,
  '0002-outages': outages,
  '0003-subscribers': subscribers,
  '0004-devices': devices,
  '0005-usage': usage,
  '0007-evidence': evidence,
  '0008-ledger': ledger,
  '0009-order-wishes': orderWishes,
  '0010-ready-tasks': readyTasks,
  '0011-till-events': tillEvents,
  '0012-statements': statements,
  '0013-sign-in': signIn,
  '0014-session-indexes': sessionIndexes,
  '0015-devices-that-knock': devicesThatKnock,
  '0016-not-active': notActive,
  '0017-overtaking': overtaking,
};
