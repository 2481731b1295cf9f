// News between nodes: heard by the others, and heard again after the way to PostgreSQL was gone without a word.
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { isPostgresInstalled, type PostgresCluster, startPostgres } from '../../scripts/postgres.mjs';
import { openSignals, type Signals } from '../../src/db/signals.ts';
import { type BlackHole, openBlackHole } from '../support/black-hole.ts';

const SOON = { timeout: 15_000, interval: 20 };

describe.runIf(isPostgresInstalled())('signals', () => {
  let cluster: PostgresCluster;
  let hole: BlackHole;
  const open: Signals<string>[] = [];

  beforeAll(async () => {
    cluster = await startPostgres();
    hole = await openBlackHole(Number(new URL(cluster.url).port));
  });
  afterEach(async () => {
    for (const one of open.splice(0)) await one.stop();
  });
  afterAll(async () => {
    await hole.close();
    cluster.stop();
  });

  async function node(url: string) {
    const heard: (string | undefined)[] = [];
    const signals = openSignals<string>(url, { pulse: 200, answer: 300 });
    open.push(signals);
    await signals.start((message) => heard.push(message));
    return { signals, heard };
  }

  it('are heard again after the server vanished, with word that some may have been missed', async () => {
    const url = new URL(cluster.url);
    url.port = String(hole.port);
    const far = await node(url.href);
    const near = await node(cluster.url);
    near.signals.send('a', 'one');
    await vi.waitUntil(() => far.heard.length > 0, SOON);
    expect(far.heard).toEqual(['one']);
    far.signals.send('b', 'two');
    await vi.waitUntil(() => near.heard.length > 0, SOON);
    expect(near.heard).toEqual(['two']);

    hole.swallow();
    near.signals.send('c', 'missed');
    // It is let go of; until the way is open again, no other can be had.
    await vi.waitUntil(() => hole.attempts() > 1, SOON);
    hole.reopen();
    await vi.waitUntil(() => far.heard.length > 1, SOON);
    near.signals.send('d', 'three');
    await vi.waitUntil(() => far.heard.includes('three'), SOON);
    expect(far.heard).toEqual(['one', undefined, 'three']);
    expect(near.heard).toEqual(['two']);
  });

  it('end in time where the server has vanished', async () => {
    const url = new URL(cluster.url);
    url.port = String(hole.port);
    const far = await node(url.href);
    hole.swallow();
    await far.signals.stop();
    hole.reopen();
    expect(far.heard).toEqual([]);
  });
});
