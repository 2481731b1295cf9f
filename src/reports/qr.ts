// QR codes as rows of dark modules, whatever draws them.
import QRCode from 'qrcode';

export interface QrPicture {
  /** Modules a side. */
  size: number;
  /** Dark modules side by side: they are drawn as one, since a renderer leaves hairlines between neighbours. */
  runs: { row: number; start: number; length: number }[];
}

/**
 * The lowest correction level: few, large modules read better from a small card than many small ones that repair each
 * other.
 */
export function qrPicture(text: string): QrPicture {
  const { modules } = QRCode.create(text, { errorCorrectionLevel: 'L' });
  const { size } = modules;
  const runs: QrPicture['runs'] = [];
  for (let row = 0; row < size; row++) {
    for (let start = 0; start < size; start++) {
      let end = start;
      while (end < size && modules.get(row, end)) end++;
      if (end === start) continue;
      runs.push({ row, start, length: end - start });
      start = end;
    }
  }
  return { size, runs };
}

/** As the `d` of an SVG path in a box of `size` × `size`. */
export function qrPath({ runs }: QrPicture): string {
  return runs.map(({ row, start, length }) => `M${start} ${row}h${length}v1h-${length}z`).join('');
}
