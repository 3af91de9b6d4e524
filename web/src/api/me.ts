import { createContext, useContext } from 'react';
import type { Me } from './client';

/**
 * The signed-in user, given by RequireUser. A context and not the query itself: when the sign-in expires, the
 * pages must not see nobody before they are taken away.
 */
export const MeContext = createContext<Me | null>(null);

/** The signed-in user; only inside pages that require one. */
export function useMe(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error('this page needs a signed-in user');
  return me;
}

/** Asks whether the signed-in user has a permission. What is offered follows it; what is allowed, the gateway says. */
export function useCan(): (permission: string) => boolean {
  const me = useMe();
  return (permission) => me.permissions.includes(permission);
}
