// Hostile text in RouterOS scripts stays text.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  hotspotNetwork,
  renderTemplate,
  rsc,
  type TemplateValues,
} from '../../../src/protocols/routeros/script.ts';
import { builtText, readLiteral, readLiterals } from './literals.ts';

const repository = join(import.meta.dirname, '../../..');
const checker = join(repository, '../shared/rsc/check-rsc.mjs');
const haveChecker = existsSync(checker);

const corpus = [
  '',
  ' ',
  '"',
  '\\',
  '\\"',
  '$',
  '$(x)',
  '$[/user add name=x group=full password=x]',
  '" ; /system reset-configuration ; :put "',
  '"]; /user remove [find]; #',
  'a\nb\r\n/system reboot\n',
  '\0\x01\x1b[2J\x7f',
  '??\t?',
  '\\00\\n\\_',
  'ñandú 🦒 \u2028',
  '}} {{secret}} $y `z`',
  '"><script>alert(1)</script>&amp;\'',
  '$(if x)$(endif)',
  '🦒'.repeat(40),
];

/** The same sequence every time (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function hostileStrings(count: number): string[] {
  const random = createRandom(7);
  const pieces = [
    '"',
    '\\',
    '$',
    '[',
    ']',
    '(',
    ')',
    '{',
    '}',
    ';',
    '#',
    '\n',
    '\r',
    '?',
    '/',
    ' ',
    '=',
    'A',
    'é',
    '🦒',
    '\0',
    '\x7f',
  ];
  return Array.from({ length: count }, () =>
    Array.from(
      { length: Math.floor(random() * 24) },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join(''),
  );
}

/** Runs the checker over scripts; answers how many commands it saw in all, throws with what it found. */
function check(scripts: string[], target: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'karibu-rsc-'));
  try {
    const files = scripts.map((script, index) => {
      const file = join(folder, `${index}.rsc`);
      writeFileSync(file, script);
      return file;
    });
    const output = execFileSync(process.execPath, [checker, '--target', target, ...files], {
      encoding: 'utf8',
    });
    return Number(/^(\d+) commands checked$/m.exec(output)?.[1]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('rsc()', () => {
  const hostile = [...corpus, ...hostileStrings(3000)];

  test('makes a literal that an independent reader reads back', () => {
    for (const text of hostile) {
      const literal = rsc(text);
      expect(readLiteral(literal, 0)).toEqual({ text, start: 0, end: literal.length });
    }
  });

  test('applied twice makes a literal inside a literal', () => {
    for (const text of hostile) {
      const inner = readLiteral(rsc(rsc(text)), 0).text;
      expect(readLiteral(inner, 0).text).toBe(text);
    }
  });

  test('writes only printable ASCII and no question mark', () => {
    for (const text of hostile) expect(rsc(text)).toMatch(/^"[ -~]*"$/);
    for (const text of hostile) expect(rsc(text)).not.toContain('?');
  });

  test.skipIf(!haveChecker)('never makes RouterOS see another command', () => {
    const lines = hostile
      .slice(0, 600)
      .map((text) => `/ip hotspot user add name=${rsc(text)} comment=${rsc(text)}`);
    expect(check([lines.join('\n')], '7.24')).toBe(lines.length);
  });
});

describe('renderTemplate()', () => {
  test('quotes every text and leaves whole numbers bare', () => {
    expect(renderTemplate('a={{x}} b={{n}}', { x: '$"', n: 1812 })).toBe('a="\\$\\"" b=1812');
  });

  test('escapes for the page or the query a value is put into', () => {
    const rendered = renderTemplate('{{x|html}} {{x|url}}', { x: `"><$(mac) '&` });
    const [html, url] = readLiterals(rendered).map((literal) => literal.text);
    expect(html).toBe('&#34;&#62;&#60;&#36;(mac) &#39;&#38;');
    expect(url).toBe('%22%3E%3C%24%28mac%29%20%27%26');
  });

  test('does not read placeholders in values', () => {
    expect(renderTemplate('{{a}}{{b}}', { a: '{{b}}', b: 'x' })).toBe('"{{b}}""x"');
  });

  test.each(['{{missing}}', '{{constructor}}', 'x="{{a}}"', '# {{a}}', '{{half}}'])(
    'refuses %s',
    (template) => {
      expect(() => renderTemplate(template, { a: 'x', half: 0.5 })).toThrow(RangeError);
    },
  );
});

test('a hotspot network is taken apart', () => {
  expect(hotspotNetwork('10.5.49.7/22')).toEqual({
    network: '10.5.48.0/22',
    address: '10.5.48.1',
    address_with_prefix: '10.5.48.1/22',
    pool: '10.5.48.10-10.5.51.254',
  });
  expect(hotspotNetwork('192.168.88.0/28')?.pool).toBe('192.168.88.2-192.168.88.14');
  for (const bad of ['', '10.0.0.0', '10.0.0.0/8', '10.0.0.0/30', '10.0.0/24', '10.0.0.0/24/1', '::/24']) {
    expect(hotspotNetwork(bad)).toBeUndefined();
  }
});

describe('the templates', () => {
  const names = ['hotspot', 'radius-only'];
  const template = (name: string) => readFileSync(join(repository, 'rsc-templates', `${name}.rsc`), 'utf8');
  const plain: TemplateValues = {
    appliance_address: '10.77.0.1',
    auth_port: 1812,
    acct_port: 1813,
    coa_port: 3799,
    api_port: 8728,
    radius_secret: 'zK3-secret',
    api_user: 'karibu',
    api_password: 'zK4-password',
    interface: 'bridge',
    ...hotspotNetwork('10.5.48.0/22'),
    portal_host: 'portal.example.net',
    portal_login_url: 'http://10.77.0.1:8081/login',
    portal_status_url: 'http://10.77.0.1:8081/status',
    router: 'rt_1',
  };
  /** Every text replaced; the checker knows closed values only where a name stands, so any text will do. */
  const hostileValues = (text: string): TemplateValues =>
    Object.fromEntries(
      Object.entries(plain).map(([name, value]) => [name, typeof value === 'number' ? value : text]),
    );

  test.each(names)('%s has lines that RouterOS takes', (name) => {
    const rendered = renderTemplate(template(name), plain);
    expect(rendered.split('\n').filter((line) => line.length > 250)).toEqual([]);
    expect(rendered).not.toMatch(/[^\n -~]/);
    const pasted = rendered.split('\n').filter((line) => !line.startsWith('#'));
    expect(pasted.filter((line) => line.includes('?'))).toEqual([]);
  });

  describe.skipIf(!haveChecker)('against the command tree', () => {
    test.each(names.flatMap((name) => ['7.15', '7.24'].map((target) => [name, target] as const)))(
      '%s is clean for %s',
      (name, target) => {
        expect(check([renderTemplate(template(name), plain)], target)).toBeGreaterThan(5);
      },
    );

    test.each(names)('%s stays the same commands with hostile values', (name) => {
      const clean = check([renderTemplate(template(name), plain)], '7.24');
      const hostile = corpus.map((text) => renderTemplate(template(name), hostileValues(text)));
      expect(check(hostile, '7.24')).toBe(clean * corpus.length);
    });
  });

  test('the login page carries CHAP in the form and what a guest could write in the URL, escaped', () => {
    const page = builtText(renderTemplate(template('hotspot'), plain), 'login');
    expect(page).toContain(
      '<form method="post" action="http://10.77.0.1:8081/login?mac=$(mac-esc)&amp;ip=$(ip-esc)&amp;' +
        'identity=$(identity-esc)&amp;router=rt_1&amp;link-login-only=$(link-login-only-esc)&amp;' +
        'link-orig=$(link-orig-esc)&amp;error=$(error-orig-esc)">',
    );
    for (const name of ['mac', 'ip', 'link-login-only', 'link-logout', 'chap-id', 'chap-challenge']) {
      expect(page).toContain(`<input type="hidden" name="${name}" value="$(${name})">`);
    }
    expect(page).toContain('<button>');
    expect(page).not.toMatch(/\$\((username|error|link-orig|identity)\)/);
    expect(Buffer.byteLength(page)).toBeLessThan(20_000);
  });
});
