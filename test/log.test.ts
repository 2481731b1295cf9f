// The log: lines, and the same trouble again and again.
import { expect, it } from 'vitest';
import { createLog } from '../src/log.ts';

function logAt() {
  const lines: Record<string, unknown>[] = [];
  const time = { now: 0 };
  const log = createLog(
    'info',
    (line) => lines.push(JSON.parse(line)),
    () => time.now,
  );
  return { log, lines, time };
}

it('the same error of a job again and again is one line in half a minute, which says how many there were', () => {
  const { log, lines, time } = logAt();
  const fail = (job: string, message = 'no store') =>
    log.error('job failed', { job, error: new Error(message) });
  for (time.now = 0; time.now < 29_999; time.now += 1000) fail('poll orders');
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toHaveProperty('repeated');
  time.now = 30_000;
  fail('poll orders');
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatchObject({ repeated: 29, error: { message: 'no store' } });
  // Another job, another error and news are no repetition.
  fail('forget');
  fail('poll orders', 'disk full');
  for (let n = 0; n < 3; n++) log.info('payment', { id: n });
  expect(lines).toHaveLength(7);
});

it('errors without end fill neither the log’s memory nor hide a new one', () => {
  const { log, lines } = logAt();
  for (let n = 0; n < 1000; n++) log.warn('task failed', { error: `error ${n}` });
  log.warn('task failed', { error: 'error 999' });
  expect(lines).toHaveLength(1000);
  log.warn('task failed', { error: 'error 0' });
  expect(lines).toHaveLength(1001);
});
