// Reads the numbers a soak script is given on its command line.

/** `--name 12` after the script's name; throws for what is no such pair. */
export function numbers<K extends string>(defaults: Record<K, number>): Record<K, number> {
  const values = { ...defaults };
  const words = process.argv.slice(2);
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at]?.replace(/^--/, '') as K;
    const value = Number(words[at + 1]);
    if (!(name in defaults) || !Number.isSafeInteger(value) || value < 0) {
      throw new Error(`Options are ${Object.keys(defaults).map((key) => `--${key} N`)}`);
    }
    values[name] = value;
  }
  return values;
}
