// Plays numbered scenarios as tests, each ending in a comparison of the books, and prints what came of them.
import { afterAll, test } from 'vitest';
import type { Fate } from './fates.ts';

interface Row {
  number: string;
  words: string;
  happened: string;
  result: string;
}

const count = (fates: Iterable<Fate>) => {
  const sums = new Map<Fate, number>();
  for (const fate of fates) sums.set(fate, (sums.get(fate) ?? 0) + 1);
  return [...sums].map(([fate, sum]) => `${sum} ${fate}`).join(', ') || 'no money moved';
};

/**
 * Gives `scenario(number, words, play)`: `play` tells in a few words what happened, then `agree` compares the books and
 * tells the fates of all money.
 */
export function playScenarios(agree: () => Promise<Map<string, Fate>>) {
  const rows: Row[] = [];
  const before = new Set<string>();
  afterAll(() => {
    const width = Math.max(0, ...rows.map(({ words }) => words.length));
    const happened = Math.max(0, ...rows.map((row) => row.happened.length));
    const lines = rows.map(
      (row) =>
        `${row.number.padStart(3)}  ${row.words.padEnd(width)}  ${row.happened.padEnd(happened)}  ${row.result}`,
    );
    console.log(`\n${lines.join('\n')}\n`);
  });
  return function scenario(number: number, words: string, play: () => Promise<string>, seconds = 60) {
    test(
      `${number}. ${words}`,
      async () => {
        const row: Row = { number: String(number), words, happened: '', result: 'FAILED' };
        rows.push(row);
        row.happened = await play();
        const fates = await agree();
        const fresh = [...fates].filter(([receipt]) => !before.has(receipt)).map(([, fate]) => fate);
        for (const receipt of fates.keys()) before.add(receipt);
        row.result = `books agree: ${count(fresh)}`;
      },
      seconds * 1000,
    );
  };
}
