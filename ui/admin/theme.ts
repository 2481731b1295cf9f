// Light or dark: what the device prefers, unless the reader chose.

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'karibu-theme';

export function readTheme(): Theme {
  const kept = window.localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'auto';
}

/** Puts the choice on the page and keeps it; `themechange` on window tells what draws its own pixels. */
export function applyTheme(theme: Theme): void {
  if (theme === 'auto') {
    window.localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    window.localStorage.setItem(KEY, theme);
    document.documentElement.dataset.theme = theme;
  }
  window.dispatchEvent(new Event('themechange'));
}
