// What a printed voucher says.
import { inflateSync } from 'node:zlib';
import { PDFDocument, type PDFRawStream } from 'pdf-lib';
import { expect, it } from 'vitest';
import { voucherSheet } from '../../src/reports/voucher-sheet.ts';

it.each([
  ['with a QR code', 'http://10.5.48.2:8081'],
  ['without one', null],
])(
  'a card of the sheet %s says what to do in both languages, and its price, however long the names are',
  async (_, portal_url) => {
    const pdf = await voucherSheet({
      business_name: 'Mama Wanjiku Internet Services Kawangware',
      portal_url,
      plan: { name: 'Unlimited weekend night bundle' },
      price_cents: 150_000,
      codes: ['ABCD2345'],
    });
    const page = (await PDFDocument.load(pdf)).getPage(0);
    const operators = inflateSync((page.node.Contents() as PDFRawStream).contents).toString('latin1');
    const lines = [...operators.matchAll(/<([0-9A-F]+)> Tj/g)].map(([, hex = '']) =>
      new TextDecoder('windows-1252').decode(Buffer.from(hex, 'hex')),
    );
    expect(lines.join(' ')).toContain('Join the WiFi, type this code. Unganisha WiFi, andika nambari hii.');
    expect(lines).toContainEqual(expect.stringMatching(/^Unlimited .* · KES 1,500$/));
    expect(lines).toContain('ABCD-2345');
  },
);
