// Opens a real browser: a phone for the guest, a desktop for the operator.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const PROGRAM = '/usr/bin/chromium';

export const hasBrowser = existsSync(PROGRAM);
if (!hasBrowser) console.log(`skipped: ${PROGRAM} is not installed (Debian package chromium)`);

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
];

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, args: ARGS });
}

/** Steps wait at most this long for what they need. */
const PATIENCE_MS = 15_000;

export interface Device {
  context: BrowserContext;
  page: Page;
  /** Errors that pages of this device ran into. */
  errors: string[];
}

async function open(browser: Browser, options: Parameters<Browser['newContext']>[0]): Promise<Device> {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Africa/Nairobi', ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const errors: string[] = [];
  context.on('weberror', (error) => errors.push(error.error().message));
  const page = await context.newPage();
  return { context, page, errors };
}

/** A phone of 360 × 740; without scripts as a captive portal's mini-browser may be. */
export function openPhone(
  browser: Browser,
  options: { scripts?: boolean; locale?: string } = {},
): Promise<Device> {
  return open(browser, {
    viewport: { width: 360, height: 740 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
    javaScriptEnabled: options.scripts ?? true,
    ...(options.locale ? { locale: options.locale } : {}),
  });
}

export function openDesktop(browser: Browser): Promise<Device> {
  return open(browser, { viewport: { width: 1280, height: 800 } });
}

/** Writes into the fields of a form by their names; a choice is chosen. */
export async function fill(page: Page, values: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    const field = page.locator(`[name="${name}"]`);
    const tag = await field.evaluate((element) => element.tagName);
    if (tag === 'SELECT') await field.selectOption(value);
    else await field.fill(value);
  }
}

/** A picture into the folder that KARIBU_E2E_SHOTS names; nothing without it. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env.KARIBU_E2E_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}
