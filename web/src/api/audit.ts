import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { leafHash, rootOf, stated } from '../lib/merkle';
import { api, apiBase, unwrap } from './client';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type AuditEntry = Schemas['AuditEntry'];
export type AuditState = Schemas['AuditState'];
export type AuditVerification = Schemas['AuditVerification'];
export type Access = Schemas['Access'];
export type EntryFilter = Omit<
  NonNullable<paths['/audit/entries']['get']['parameters']['query']>,
  'before' | 'limit'
>;
interface AccessPage {
  access: Access[];
  next?: string;
}
export type AccessFilter = Omit<
  NonNullable<paths['/audit/access']['get']['parameters']['query']>,
  'before' | 'limit' | 'format'
>;

const keys = {
  entries: (filter: EntryFilter) => ['audit', 'entries', filter] as const,
  state: ['audit', 'state'] as const,
  verification: ['audit', 'verification'] as const,
};

export const entriesQuery = (filter: EntryFilter) =>
  infiniteQueryOptions({
    queryKey: keys.entries(filter),
    initialPageParam: undefined as number | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/audit/entries', {
          params: {
            query: { ...filter, limit: 100, ...(pageParam === undefined ? {} : { before: pageParam }) },
          },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
  });

export const accessQuery = (filter: AccessFilter) =>
  infiniteQueryOptions({
    queryKey: ['audit', 'access', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      // As CSV it would be text; without asking for that it is not.
      unwrap<AccessPage | string>(
        await api.GET('/audit/access', {
          params: { query: { ...filter, limit: 100, ...(pageParam ? { before: pageParam } : {}) } },
          signal,
        }),
      ) as AccessPage,
    getNextPageParam: (last) => last.next ?? undefined,
  });

/** Where the report with that filter is as CSV. */
export function accessCSV(filter: AccessFilter): string {
  return `${apiBase}/audit/access?${new URLSearchParams({ ...filter, format: 'csv' }).toString()}`;
}

export const auditStateQuery = queryOptions({
  queryKey: keys.state,
  queryFn: async ({ signal }) => unwrap(await api.GET('/audit/checkpoint', { signal })),
  refetchInterval: 15_000,
});

export const verificationQuery = queryOptions({
  queryKey: keys.verification,
  queryFn: async ({ signal }) => unwrap(await api.GET('/audit/verify', { signal })),
  refetchInterval: (query) => (query.state.data?.state === 'running' ? 700 : false),
});

export function useVerifyLog() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () => unwrap(await api.POST('/audit/verify')),
    onSuccess: (data) => client.setQueryData(keys.verification, data),
  });
}

export interface Inclusion {
  ok: boolean;
  size: number;
}

/** Whether an entry is in the log of the newest checkpoint: computed here from its text and the proof. */
export const inclusionQuery = (entry: AuditEntry) =>
  queryOptions({
    queryKey: ['audit', 'proof', entry.index],
    queryFn: async ({ signal }): Promise<Inclusion> => {
      const { index } = entry;
      const proof = unwrap(
        await api.GET('/audit/entries/{index}/proof', { params: { path: { index } }, signal }),
      );
      const signed = stated(proof.checkpoint);
      const leaf = await leafHash(entry.canonical ?? '');
      const root = signed && (await rootOf(index, signed.size, leaf, proof.hashes));
      return { ok: root !== null && root === signed?.root, size: signed?.size ?? 0 };
    },
    retry: false,
    gcTime: 0,
  });
