// What a guest does on the portal, and the person at the M-PESA prompt.
import type { Page } from 'playwright-core';
import type { MpesaSimulator } from '../../../src/simulators/mpesa/index.ts';
import type { RouterSimulator } from '../../../src/simulators/router/simulator.ts';

/** A phone joins the WiFi and opens a page; the router leads it to the portal. */
export async function joinWifi(page: Page, router: RouterSimulator, mac: string): Promise<void> {
  const { url } = router.addPhone({ mac });
  await page.goto(url);
}

/** Chooses a plan by its name and asks for the prompt on `msisdn`. */
export async function buy(page: Page, plan: string, msisdn: string): Promise<void> {
  await page.locator('a.ticket', { hasText: plan }).click();
  await page.locator('#msisdn').fill(msisdn);
  await page.locator('form.ask button').click();
}

/** The person at the phone enters the PIN on the simulator's phone page. */
export async function enterPin(phonePage: Page, mpesa: MpesaSimulator, msisdn: string, pin: string) {
  await phonePage.goto(`${mpesa.baseUrl}/phone?msisdn=${msisdn}`);
  await phonePage.locator('#prompt').waitFor();
  for (const digit of pin) await phonePage.locator(`[data-digit="${digit}"]`).click();
}
