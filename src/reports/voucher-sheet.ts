// The printed voucher sheet: an A4 PDF of cards to cut.
import { PDFDocument, type PDFFont, type PDFPage, rgb, StandardFonts } from 'pdf-lib';
import QRCode from 'qrcode';
import { groupCode } from '../lib/codes.ts';
import { formatMoney } from '../lib/money.ts';

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
const INK = rgb(0.1, 0.12, 0.11);
const QUIET = rgb(0.42, 0.45, 0.43);
const CUT = rgb(0.8, 0.82, 0.8);

interface Fonts {
  plain: PDFFont;
  bold: PDFFont;
  mono: PDFFont;
}

/** The standard PDF fonts know only WinAnsi; what they lack becomes a question mark instead of an exception. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\xa0-\xff]/g, '?');
}

function shorten(text: string, font: PDFFont, size: number, width: number): string {
  let fitted = printable(text);
  while (fitted.length > 1 && font.widthOfTextAtSize(fitted, size) > width) fitted = fitted.slice(0, -1);
  return fitted;
}

/**
 * The lowest correction level: few, large modules read better from a small card than many small ones that repair each
 * other. Dark modules side by side are one rectangle, since a renderer leaves hairlines between neighbours.
 */
function drawQr(page: PDFPage, text: string, x: number, y: number, size: number): void {
  const { modules } = QRCode.create(text, { errorCorrectionLevel: 'L' });
  const module = size / modules.size;
  for (let row = 0; row < modules.size; row++) {
    for (let start = 0; start < modules.size; start++) {
      let end = start;
      while (end < modules.size && modules.get(row, end)) end++;
      if (end === start) continue;
      page.drawRectangle({
        x: x + start * module,
        y: y + size - (row + 1) * module,
        width: (end - start) * module,
        height: module,
        color: INK,
      });
      start = end;
    }
  }
}

function drawCard(
  page: PDFPage,
  fonts: Fonts,
  sheet: VoucherSheet,
  code: string,
  x: number,
  y: number,
): void {
  page.drawRectangle({ x, y, width: CARD.width, height: CARD.height, borderColor: CUT, borderWidth: 0.5 });
  const left = x + CARD.padding;
  const top = y + CARD.height - CARD.padding;
  const qr = sheet.portal_url ? 64 : 0;
  const width = CARD.width - 2 * CARD.padding - (qr ? qr + 6 : 0);
  const line = (text: string, font: PDFFont, size: number, down: number, color = INK) =>
    page.drawText(shorten(text, font, size, width), { x: left, y: top - down, size, font, color });
  line(sheet.business_name, fonts.bold, 9, 9);
  line(`${sheet.plan.name} · ${formatMoney(sheet.price_cents)}`, fonts.plain, 8, 21, QUIET);
  line(groupCode(code), fonts.mono, 15, 46);
  line('Join the WiFi, type this code.', fonts.plain, 6.5, 61, QUIET);
  line('Unganisha WiFi, andika nambari hii.', fonts.plain, 6.5, 70, QUIET);
  if (sheet.portal_url) {
    const link = `${sheet.portal_url}/voucher?code=${code}`;
    drawQr(page, link, x + CARD.width - CARD.padding - qr, y + (CARD.height - qr) / 2, qr);
  }
}

/** Draws the sheet; the bytes of a PDF. Lets other work go on between pages. */
export async function voucherSheet(sheet: VoucherSheet): Promise<Uint8Array> {
  const document = await PDFDocument.create();
  document.setTitle(printable(`${sheet.business_name}: ${sheet.plan.name}`));
  const fonts: Fonts = {
    plain: await document.embedFont(StandardFonts.Helvetica),
    bold: await document.embedFont(StandardFonts.HelveticaBold),
    mono: await document.embedFont(StandardFonts.CourierBold),
  };
  const perPage = COLUMNS * ROWS;
  for (let start = 0; start < sheet.codes.length; start += perPage) {
    const page = document.addPage([PAGE.width, PAGE.height]);
    for (const [index, code] of sheet.codes.slice(start, start + perPage).entries()) {
      const x = PAGE.margin + (index % COLUMNS) * CARD.width;
      const y = PAGE.height - PAGE.margin - (Math.floor(index / COLUMNS) + 1) * CARD.height;
      drawCard(page, fonts, sheet, code, x, y);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return document.save();
}
