import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys } from './queries';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Export = Schemas['Export'];
export type Custody = Schemas['Custody'];

/** How often exports under way are asked for, in milliseconds. */
const pollMs = 1000;

const listKey = (session: string) => [...keys.recordings, 'exports', session];

export const exportsQuery = (session: string) =>
  queryOptions({
    queryKey: listKey(session),
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/recordings/{session}/exports', { params: { path: { session } }, signal }))
        .exports,
    refetchInterval: (query) =>
      query.state.data?.some((x) => x.state === 'waiting' || x.state === 'running') ? pollMs : false,
  });

export function useCreateExport(session: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: Schemas['CreateExport']) =>
      unwrap(await api.POST('/recordings/{session}/exports', { params: { path: { session } }, body })),
    onSettled: () => client.invalidateQueries({ queryKey: listKey(session) }),
  });
}

/** Cancels an export, or removes its result. */
export function useCancelExport(session: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (id: string) =>
      unwrap(
        await api.DELETE('/recordings/{session}/exports/{export}', {
          params: { path: { session, export: id } },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: listKey(session) }),
  });
}

/** Asks for a link that is good for one download, and follows it. */
export function useDownloadExport(session: string) {
  return useMutation({
    mutationFn: async (id: string) => {
      const link = unwrap(
        await api.POST('/recordings/{session}/exports/{export}/link', {
          params: { path: { session, export: id } },
        }),
      );
      const a = document.createElement('a');
      a.href = link.url;
      a.download = '';
      a.click();
    },
  });
}

/** What becomes of a recording: a legal hold on or off, or its key destroyed. */
export function useCustody(session: string) {
  const client = useQueryClient();
  const params = { path: { session } };
  return useMutation({
    mutationFn: async ({ act, reason, confirm }: CustodyChange) => {
      switch (act) {
        case 'hold':
          return unwrap(await api.PUT('/recordings/{session}/hold', { params, body: { reason } }));
        case 'release':
          return unwrap(await api.POST('/recordings/{session}/hold/release', { params, body: { reason } }));
        case 'shred':
          return unwrap(await api.POST('/recordings/{session}/shred', { params, body: { reason, confirm } }));
      }
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.recordings }),
  });
}

export interface CustodyChange {
  act: 'hold' | 'release' | 'shred';
  reason: string;
  /** To shred: the session's id, typed. */
  confirm: string;
}
