import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { makePasskey, provePasskey } from '../lib/passkeys';
import { api, unwrap, type Me } from './client';
import { keys } from './queries';
import type { components } from './schema';

type Schemas = components['schemas'];
export type SignInPending = Schemas['SignInPending'];
export type SignInOptions = Schemas['SignInOptions'];
export type Factors = Schemas['Factors'];
export type TOTPKey = Schemas['TOTPKey'];
export type FactorMethod = SignInPending['methods'][number];

const signInKey = ['sign-in'] as const;
const factorsKey = ['factors'] as const;

/** What the sign-in page offers, and the half sign-in of this browser. */
export const signInQuery = queryOptions({
  queryKey: signInKey,
  queryFn: async ({ signal }) => unwrap(await api.GET('/sign-in', { signal })),
  staleTime: 30_000,
});

/** Who has just signed in: nothing of who was there before stays. */
export function useSignedIn() {
  const client = useQueryClient();
  const pending = usePending();
  return (me: Me) => {
    // What the sign-in page itself watches stays, or it would not hear of the change.
    client.removeQueries({ predicate: ({ queryKey: [key] }) => key !== keys.me[0] && key !== signInKey[0] });
    pending.set(undefined);
    client.setQueryData(keys.me, me);
  };
}

export function usePending() {
  const client = useQueryClient();
  return {
    set: (pending: SignInPending | undefined) =>
      client.setQueryData<SignInOptions>(signInKey, (old) => {
        const { providers = [], passkeys = false } = old ?? {};
        return pending ? { providers, passkeys, pending } : { providers, passkeys };
      }),
    refresh: () => client.invalidateQueries({ queryKey: signInKey }),
  };
}

export function usePasswordSignIn() {
  const signedIn = useSignedIn();
  const pending = usePending();
  return useMutation({
    mutationFn: async (body: { username: string; password: string }) =>
      unwrap(await api.POST('/sign-in', { body })),
    onSuccess: (answer) => {
      if ('methods' in answer) pending.set(answer);
      else signedIn(answer);
    },
  });
}

/** Proves a passkey: the second step where there is a first, else the whole sign-in. */
export function usePasskeySignIn() {
  const signedIn = useSignedIn();
  return useMutation({
    mutationFn: async () => {
      const { options } = unwrap(await api.POST('/sign-in/passkey/options'));
      return unwrap(
        await api.POST('/sign-in/passkey', { body: { credential: await provePasskey(options) } }),
      );
    },
    onSuccess: signedIn,
  });
}

export function useCodeSignIn(method: 'totp' | 'recovery') {
  const signedIn = useSignedIn();
  return useMutation({
    mutationFn: async (code: string) =>
      unwrap(await api.POST(method === 'totp' ? '/sign-in/totp' : '/sign-in/recovery', { body: { code } })),
    onSuccess: signedIn,
  });
}

export function useForgetPending() {
  const pending = usePending();
  return useMutation({
    mutationFn: async () => unwrap(await api.DELETE('/sign-in/pending')),
    onSettled: () => pending.set(undefined),
  });
}

/** How a factor is enrolled: before one is signed in, or in one's account. Both end with recovery codes, or none. */
export interface Enrolment {
  beginTOTP: () => Promise<TOTPKey>;
  confirmTOTP: (code: string) => Promise<{ codes: string[]; me?: Me }>;
  passkey: (name: string) => Promise<{ codes: string[]; me?: Me }>;
}

export const firstEnrolment: Enrolment = {
  beginTOTP: async () => unwrap(await api.POST('/sign-in/enrol/totp')),
  confirmTOTP: async (code) => {
    const { me, recovery_codes } = unwrap(await api.POST('/sign-in/enrol/totp/confirm', { body: { code } }));
    return { codes: recovery_codes, me };
  },
  passkey: async (name) => {
    const { options } = unwrap(await api.POST('/sign-in/enrol/passkey/options'));
    const credential = await makePasskey(options);
    const { me, recovery_codes } = unwrap(
      await api.POST('/sign-in/enrol/passkey', { body: { name, credential } }),
    );
    return { codes: recovery_codes, me };
  },
};

export const ownEnrolment: Enrolment = {
  beginTOTP: async () => unwrap(await api.POST('/me/factors/totp')),
  confirmTOTP: async (code) => ({
    codes: unwrap(await api.POST('/me/factors/totp/confirm', { body: { code } })).recovery_codes,
  }),
  passkey: async (name) => {
    const { options } = unwrap(await api.POST('/me/factors/passkeys/options'));
    const credential = await makePasskey(options);
    return {
      codes: unwrap(await api.POST('/me/factors/passkeys', { body: { name, credential } })).recovery_codes,
    };
  },
};

export const factorsQuery = queryOptions({
  queryKey: factorsKey,
  queryFn: async ({ signal }) => unwrap(await api.GET('/me/factors', { signal })),
});

export function useFactors() {
  return useQuery(factorsQuery);
}

/** A change of one's second factors; what is shown is asked for again afterwards. */
export function useFactorChange<A = void, T = unknown>(change: (argument: A) => Promise<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => client.invalidateQueries({ queryKey: factorsKey }),
  });
}

export const changes = {
  removeTOTP: async () => unwrap(await api.DELETE('/me/factors/totp')),
  removePasskey: async (passkey: string) =>
    unwrap(await api.DELETE('/me/factors/passkeys/{passkey}', { params: { path: { passkey } } })),
  renamePasskey: async ({ passkey, name }: { passkey: string; name: string }) =>
    unwrap(
      await api.PATCH('/me/factors/passkeys/{passkey}', { params: { path: { passkey } }, body: { name } }),
    ),
  newCodes: async () => unwrap(await api.POST('/me/factors/recovery-codes')).recovery_codes,
  stepUpByCode: async (code: string) => unwrap(await api.POST('/me/step-up', { body: { code } })),
  stepUpByRecovery: async (code: string) =>
    unwrap(await api.POST('/me/step-up', { body: { recovery_code: code } })),
  stepUpByPasskey: async () => {
    const { options } = unwrap(await api.POST('/me/step-up/options'));
    return unwrap(await api.POST('/me/step-up', { body: { credential: await provePasskey(options) } }));
  },
};
