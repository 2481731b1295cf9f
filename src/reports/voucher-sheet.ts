// The printed voucher sheet: an A4 PDF of cards to cut.
import { deflateSync } from 'node:zlib';
import { PDFDocument, type PDFFont, PDFName, StandardFonts } from 'pdf-lib';
import { groupCode } from '../lib/codes.ts';
import { formatMoney } from '../lib/money.ts';
import { qrPicture } from './qr.ts';

export interface VoucherSheet {
  business_name: string;
  /** Scanning a card opens the portal with its code; without it the code is typed. */
  portal_url: string | null;
  plan: { name: string };
  price_cents: number;
  codes: string[];
}

/** A4 in points, and a grid of 3 × 8 cards, which scissors and a guillotine both manage. */
const PAGE = { width: 595.28, height: 841.89, margin: 24 };
const COLUMNS = 3;
const ROWS = 8;
const CARD = {
  width: (PAGE.width - 2 * PAGE.margin) / COLUMNS,
  height: (PAGE.height - 2 * PAGE.margin) / ROWS,
  padding: 9,
};
/** Colours as PDF's operands, red, green and blue from 0 to 1. */
const INK = '0.1 0.12 0.11';
const QUIET = '0.42 0.45 0.43';
const CUT = '0.8 0.82 0.8';
const QR_SIZE = 64;
/** What to do, in two halves for a card that is too narrow for the whole. */
const STEPS = [
  ['Join the WiFi,', 'type this code.'],
  ['Unganisha WiFi,', 'andika nambari hii.'],
];
const STEP_SIZE = 6.5;

/** The names under which every page knows the fonts. */
type FontName = 'Plain' | 'Bold' | 'Mono';
type Fonts = Record<FontName, PDFFont>;

/** The standard PDF fonts know only WinAnsi; what they lack becomes a question mark instead of an exception. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\xa0-\xff]/g, '?');
}

/** What fits, with an ellipsis where something was cut. */
function shorten(text: string, font: PDFFont, size: number, width: number): string {
  const whole = printable(text);
  const fits = (line: string) => font.widthOfTextAtSize(line, size) <= width;
  if (fits(whole)) return whole;
  let kept = whole;
  while (kept.length > 1 && !fits(`${kept}…`)) kept = kept.slice(0, -1);
  return `${kept.trimEnd()}…`;
}

/** Enough for a press: a thousandth of a point. */
function short(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function qrOperators(text: string, x: number, y: number): string {
  const { size, runs } = qrPicture(text);
  const module = QR_SIZE / size;
  const rectangles = runs.map(({ row, start, length }) => {
    const [left, bottom] = [x + start * module, y + QR_SIZE - (row + 1) * module];
    return `${short(left)} ${short(bottom)} ${short(length * module)} ${short(module)} re\n`;
  });
  return `${INK} rg\n${rectangles.join('')}f\n`;
}

/** Draws one card with its lower left corner at the origin; what all cards share is made once. */
function cardPrinter(sheet: VoucherSheet, fonts: Fonts): (code: string) => string {
  const qr = sheet.portal_url ? QR_SIZE + 6 : 0;
  const width = CARD.width - 2 * CARD.padding - qr;
  const top = CARD.height - CARD.padding;
  const line = (text: string, name: FontName, size: number, down: number, color = INK) => {
    const octets = fonts[name].encodeText(text);
    return `${color} rg BT /${name} ${size} Tf ${CARD.padding} ${short(top - down)} Td ${octets} Tj ET\n`;
  };
  // The price is never what is cut.
  const price = ` · ${formatMoney(sheet.price_cents)}`;
  const planWidth = width - fonts.Plain.widthOfTextAtSize(price, 8);
  const plan = shorten(sheet.plan.name, fonts.Plain, 8, planWidth) + price;
  const steps = STEPS.flatMap((halves) => {
    const whole = halves.join(' ');
    return fonts.Plain.widthOfTextAtSize(whole, STEP_SIZE) <= width ? [whole] : halves;
  });
  const frame = `${CUT} RG 0.5 w 0 0 ${short(CARD.width)} ${short(CARD.height)} re S\n`;
  const shared = [
    frame,
    line(shorten(sheet.business_name, fonts.Bold, 9, width), 'Bold', 9, 9),
    line(plan, 'Plain', 8, 21, QUIET),
    ...steps.map((step, index) => line(step, 'Plain', STEP_SIZE, 60 + index * 8.5, QUIET)),
  ].join('');
  return (code) => {
    const link = `${sheet.portal_url}/voucher?code=${code}`;
    const picture = sheet.portal_url
      ? qrOperators(link, CARD.width - CARD.padding - QR_SIZE, (CARD.height - QR_SIZE) / 2)
      : '';
    return shared + line(groupCode(code), 'Mono', 15, 46) + picture;
  };
}

/**
 * Draws the sheet; the bytes of a PDF. Lets other work go on between pages. Pages are written as PDF operators (ISO
 * 32000-1, 8.2) and packed at once: as drawing calls of pdf-lib ten thousand QR codes take a minute and a gigabyte.
 */
export async function voucherSheet(sheet: VoucherSheet): Promise<Uint8Array> {
  const document = await PDFDocument.create();
  document.setTitle(printable(`${sheet.business_name}: ${sheet.plan.name}`));
  const fonts: Fonts = {
    Plain: await document.embedFont(StandardFonts.Helvetica),
    Bold: await document.embedFont(StandardFonts.HelveticaBold),
    Mono: await document.embedFont(StandardFonts.CourierBold),
  };
  const card = cardPrinter(sheet, fonts);
  const perPage = COLUMNS * ROWS;
  for (let start = 0; start < sheet.codes.length; start += perPage) {
    const page = document.addPage([PAGE.width, PAGE.height]);
    for (const [name, font] of Object.entries(fonts)) page.node.setFontDictionary(PDFName.of(name), font.ref);
    const cards = sheet.codes.slice(start, start + perPage).map((code, index) => {
      const x = PAGE.margin + (index % COLUMNS) * CARD.width;
      const y = PAGE.height - PAGE.margin - (Math.floor(index / COLUMNS) + 1) * CARD.height;
      return `q 1 0 0 1 ${short(x)} ${short(y)} cm\n${card(code)}Q\n`;
    });
    const content = document.context.stream(deflateSync(cards.join('')), { Filter: 'FlateDecode' });
    page.node.set(PDFName.of('Contents'), document.context.register(content));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return document.save();
}
