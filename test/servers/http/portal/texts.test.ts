// The guest's sentences: both languages complete, and used with the words they ask for.
import { describe, expect, it } from 'vitest';
import { TEXTS, type TextKey, text } from '../../../../src/servers/http/portal/texts.ts';

const keys = Object.keys(TEXTS.en) as TextKey[];
const holes = (sentence: string) => [...sentence.matchAll(/\{(\w+)\}/g)].map((hole) => hole[1]).sort();

describe('texts', () => {
  it('has the same keys in English and Swahili', () => {
    expect(Object.keys(TEXTS.sw).sort()).toEqual([...keys].sort());
  });

  it('leaves none empty', () => {
    for (const lang of ['en', 'sw'] as const) {
      expect(keys.filter((key) => TEXTS[lang][key].trim() === '')).toEqual([]);
    }
  });

  it('fills the same words in both languages', () => {
    expect(keys.filter((key) => `${holes(TEXTS.en[key])}` !== `${holes(TEXTS.sw[key])}`)).toEqual([]);
  });

  it('says what to do next for every problem it can name', () => {
    const problems = keys.filter(
      (key) => /^(router|buy|failed|voucher|claim|error)_/.test(key) && !key.endsWith('_next'),
    );
    const notProblems = ['buy_more', 'buy_more_below', 'buy_again', 'failed_title'];
    notProblems.push('voucher_title', 'voucher_label', 'voucher_hint', 'voucher_button');
    const alone = problems.filter(
      (key) => !notProblems.includes(key) && !keys.includes(`${key}_next` as TextKey),
    );
    expect(problems.length).toBeGreaterThan(30);
    expect(alone).toEqual([]);
  });

  it('is translated, but for the few words that are the same', () => {
    const same = keys.filter((key) => TEXTS.en[key] === TEXTS.sw[key]);
    expect(same.sort()).toEqual(['welcome']);
  });

  it('fills in words and leaves an unknown hole visible', () => {
    expect(text('sw', 'pay_button', { price: 'KES 20' })).toBe('Lipa KES 20');
    expect(text('en', 'pay_button')).toBe('Pay {price}');
  });
});
