// Every kind of task is run by the program's own schedule.
import { expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { TASK_KINDS } from '../../src/db/tasks.ts';
import { taskLanes } from '../../src/jobs/run-tasks.ts';
import { jobs } from '../../src/jobs/schedule.ts';
import { NOW, report, someAccess } from '../access/fixtures.ts';
import { memoryStore } from '../support/stores.ts';

it('each kind of task has one lane, and each lane its job', () => {
  const lanes = taskLanes();
  const kinds = lanes.flatMap((lane) => lane.kinds).sort();
  expect(kinds).toEqual([...TASK_KINDS].sort());
  expect(kinds).toEqual([
    'activate',
    'confirm_claim',
    'confirm_evidence',
    'disconnect_session',
    'enforce',
    'extend_entitlements',
    'follow_plan',
    'make_vouchers',
    'settle_evidence',
    'settle_statement',
  ]);
  const kicked = jobs.flatMap(({ name, kinds }) => (kinds ? [{ name, kinds }] : []));
  expect(kicked).toEqual(lanes.map(({ name, kinds }) => ({ name, kinds })));
});

it('of two devices that were let in at the same moment, the one whose Start comes second is sent away', async () => {
  const db = await memoryStore();
  const { credential, entitlement } = await someAccess(db);
  const start = (mac: string, id: string) =>
    report({
      mac,
      acct_session_id: id,
      reference: { credential_id: credential.id, entitlement_id: entitlement.id, accept_id: id },
    });
  const waiting = () =>
    db.selectFrom('tasks').select(['kind', 'payload']).where('state', '=', 'ready').execute();

  await recordAccounting(db, [start('AA:BB:CC:00:00:01', 'first')], NOW);
  await recordAccounting(db, [start('AA:BB:CC:00:00:01', 'again')], NOW);
  expect(await waiting()).toEqual([]);
  const [second] = await recordAccounting(db, [start('AA:BB:CC:00:00:02', 'second')], NOW);
  const payload = JSON.stringify({ session_id: second?.id, reason: 'too_many_devices' });
  expect(await waiting()).toEqual([{ kind: 'disconnect_session', payload }]);
  await recordAccounting(db, [start('AA:BB:CC:00:00:02', 'second')], NOW);
  expect(await waiting()).toHaveLength(1);
  await db.destroy();
});
