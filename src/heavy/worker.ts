// The worker's side: runs heavy functions by name, one store and vault for all of them.
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { openVault } from '../db/key-file.ts';
import { openReader } from '../db/open.ts';
import { type HeavyContext, type HeavyName, heavyFunctions } from './functions.ts';
import { type FromWorker, type ToWorker, toPlainError, type WorkerStore } from './messages.ts';

/** Of Linux's −20 to 19: where there is one core, RADIUS and the pages go first. */
const NICE = 10;

const port = parentPort;
if (!port) throw new Error('this file runs in a worker thread');
// Process 0 is the thread that asks, on Linux; elsewhere it would be the whole program.
if (process.platform === 'linux') setPriority(0, NICE);

const { database, data_dir } = workerData as WorkerStore;
const ready: Promise<HeavyContext> = openReader(database).then((db) => ({ db, vault: openVault(data_dir) }));
ready.catch(() => undefined);

async function run(id: number, name: string, input: unknown): Promise<FromWorker> {
  try {
    const heavy = heavyFunctions[name as HeavyName] as (
      ctx: HeavyContext,
      input: unknown,
    ) => Promise<unknown>;
    return { id, output: await heavy(await ready, input) };
  } catch (error) {
    return { id, error: toPlainError(error) };
  }
}

port.on('message', async (message: ToWorker) => {
  if ('end' in message) {
    await ready.then(
      ({ db }) => db.destroy(),
      () => undefined,
    );
    process.exit(0);
  }
  const answer = await run(message.id, message.name, message.input);
  const output = 'output' in answer ? answer.output : undefined;
  port.postMessage(answer, output instanceof Uint8Array ? [output.buffer as ArrayBuffer] : []);
});
