import { queryOptions, useMutation } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type NativeClient = Schemas['NativeClient'];
export type NativeTicket = Schemas['NativeTicket'];
export type NewNativeTicket = Schemas['CreateNativeTicket'];
export type NativeSignIn = Schemas['NativeSignIn'];

/** Whether and where native RDP clients are let in. */
export const nativeClientQuery = queryOptions({
  queryKey: ['native-client'],
  queryFn: async ({ signal }) => unwrap(await api.GET('/native-client', { signal })),
  staleTime: 60_000,
});

/** A ticket is kept nowhere but where it is shown. */
export function useNativeTicket() {
  return useMutation({
    gcTime: 0,
    mutationFn: async (body: NewNativeTicket) => unwrap(await api.POST('/native-tickets', { body })),
  });
}

export function useLookAtNativeSignIn() {
  return useMutation({
    mutationFn: async (code: string) => unwrap(await api.POST('/native-sign-ins/look', { body: { code } })),
  });
}

export function useDecideNativeSignIn() {
  return useMutation({
    mutationFn: async (body: { code: string; approve: boolean }) =>
      unwrap(await api.POST('/native-sign-ins/decide', { body })),
  });
}
