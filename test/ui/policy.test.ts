// The admin page keeps to the strict content security policy and asks nothing of other hosts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = new URL('../../ui/', import.meta.url).pathname;
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /^(admin|shared)\/.*\.(ts|css|html)$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));

it('there are pages to look at', () => {
  expect(sources.length).toBeGreaterThan(40);
});

it('no page has inline styles, inline scripts or handlers written in HTML', () => {
  const page = sources.find(({ name }) => name === 'admin/index.html')?.text ?? '';
  expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  expect(
    sources.filter(({ text }) => /\sstyle=|dangerouslySetInnerHTML/.test(text)).map((s) => s.name),
  ).toEqual([]);
});

it('no style or page loads anything from another host or from a data address', () => {
  const loads = /(?:src|href)="(?:https?:)?\/\/|url\(|@import\s+"(?:https?:)?\/\//;
  expect(sources.filter(({ text }) => loads.test(text)).map((s) => s.name)).toEqual([]);
});
