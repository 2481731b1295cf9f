// Who is signed in, for every page.
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Me } from './types.ts';

export const MeContext = createContext<Me | undefined>(undefined);

/** The signed-in account; only pages behind the sign-in ask for it. */
export function useMe(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error('This page is shown to nobody who is not signed in.');
  return me;
}
