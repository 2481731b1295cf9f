// Hands heavy work to a worker thread of this program, started when there is work and ended when there is none.
import { Worker } from 'node:worker_threads';
import { AppError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  type HeavyContext,
  type HeavyInput,
  type HeavyName,
  type HeavyOutput,
  heavyFunctions,
} from './functions.ts';
import { type FromWorker, fromPlainError, type ToWorker, type WorkerStore } from './messages.ts';

/** A worker holds some 30 MB, so one that has had nothing to do for so long ends. */
const IDLE_MS = 10_000;
/** More at once is refused: whoever asks again later is served, and a pile of sheets does not fill the memory. */
const MOST_AT_ONCE = 16;

// Bun's compiler keeps the second entry point of scripts/build.mjs beside the first, under its path in src.
const compiled = import.meta.url.startsWith('file:///$bunfs/');
const WORKER = new URL(compiled ? './heavy/worker.js' : './worker.ts', import.meta.url);

export interface Heavy {
  /**
   * Runs one heavy function. Rejects with what the function threw; with `unavailable` when too much is under way; with an
   * error that names the function when the worker died under it (the next call starts a new worker).
   */
  run<N extends HeavyName>(name: N, input: HeavyInput<N>): Promise<HeavyOutput<N>>;
  /** Ends the worker; what it had not finished is rejected. */
  stop(): Promise<void>;
}

/** Runs the functions in this thread: for a store in memory, which no other connection sees, and for Node. */
export function heavyHere(ctx: HeavyContext): Heavy {
  return {
    run: (name, input) => {
      const heavy = heavyFunctions[name] as (ctx: HeavyContext, input: unknown) => Promise<never>;
      return heavy(ctx, input);
    },
    stop: async () => undefined,
  };
}

interface Waiting {
  name: string;
  done(output: never): void;
  failed(error: Error): void;
}

/** Runs the functions in a worker thread with a connection of its own. */
export function heavyInWorker(
  store: WorkerStore,
  log: Log,
  { idleMs = IDLE_MS, script = WORKER }: { idleMs?: number; script?: URL } = {},
): Heavy {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let current: Worker | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;

  /** Everything this worker was doing fails; nothing is done twice without being asked for again. */
  function lose(worker: Worker, why: string): void {
    if (worker !== current) return;
    current = undefined;
    clearTimeout(idle);
    if (waiting.size > 0)
      log.error('heavy work was lost', { why, work: [...waiting.values()].map((w) => w.name) });
    for (const { name, failed } of waiting.values()) failed(new Error(`${name} was not finished: ${why}`));
    waiting.clear();
  }

  function end(worker: Worker): void {
    current = undefined;
    worker.postMessage({ end: true } satisfies ToWorker);
  }

  function answer(worker: Worker, message: FromWorker): void {
    const asked = waiting.get(message.id);
    if (!asked) return;
    waiting.delete(message.id);
    if ('error' in message) asked.failed(fromPlainError(message.error));
    else asked.done(message.output as never);
    if (waiting.size === 0) {
      idle = setTimeout(() => end(worker), idleMs);
      idle.unref();
    }
  }

  function start(): Worker {
    const worker = new Worker(script, { workerData: store });
    worker.on('message', (message: FromWorker) => answer(worker, message));
    worker.on('error', (error) => lose(worker, error.message));
    worker.on('exit', (code) => lose(worker, `the worker ended with code ${code}`));
    worker.unref();
    return worker;
  }

  return {
    async run(name, input) {
      if (waiting.size >= MOST_AT_ONCE) {
        throw new AppError('unavailable', 'Too much is being prepared at once.', {
          hint: 'Wait until it is done, then ask again.',
        });
      }
      clearTimeout(idle);
      current ??= start();
      const id = ++lastId;
      const output = new Promise<never>((done, failed) => waiting.set(id, { name, done, failed }));
      current.postMessage({ id, name, input } satisfies ToWorker);
      return output;
    },
    async stop() {
      clearTimeout(idle);
      const worker = current;
      if (!worker) return;
      // Whoever waits for its end must not find the program over first.
      worker.ref();
      const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      if (waiting.size > 0) lose(worker, 'Karibu is stopping');
      end(worker);
      await gone;
    },
  };
}
