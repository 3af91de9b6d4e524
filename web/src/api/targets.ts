import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys } from './queries';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Target = Schemas['Target'];
export type TargetSettings = Schemas['TargetSettings'];
export type TargetAccount = Schemas['TargetAccount'];
export type AccountSettings = Schemas['AccountSettings'];
export type NewCredential = Schemas['NewCredential'];
export type ImportPlan = Schemas['ImportPlan'];

/** How many targets are asked for at a time. */
const pageSize = 60;

export interface TargetFilter {
  search: string;
  tags: string[];
}

/** Targets page by page, searched by the gateway: there may be many thousands. */
export const targetListQuery = ({ search, tags }: TargetFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.targets, 'list', search, ...tags],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/targets', {
          params: {
            query: {
              limit: pageSize,
              ...(search ? { q: search } : {}),
              ...(tags.length > 0 ? { tag: tags } : {}),
              ...(pageParam ? { after: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
    // What was found stays while more letters are typed.
    placeholderData: (before) => before,
  });

export const targetQuery = (target: string) =>
  queryOptions({
    queryKey: [...keys.targets, 'one', target],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/targets/{target}', { params: { path: { target } }, signal })),
  });

export const providersQuery = queryOptions({
  queryKey: ['credential-providers'],
  queryFn: async ({ signal }) => unwrap(await api.GET('/credential-providers', { signal })),
  staleTime: 60_000,
});

/** A change of targets, after which lists are asked for again. */
function useChange<In, Out>(mutationFn: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({ mutationFn, onSuccess: () => client.invalidateQueries({ queryKey: keys.targets }) });
}

export const useCreateTarget = () =>
  useChange(async (body: { id: string; settings: TargetSettings }) =>
    unwrap(await api.POST('/targets', { body })),
  );

export const useUpdateTarget = (target: string) =>
  useChange(async (body: { revision: number; settings: TargetSettings }) =>
    unwrap(await api.PUT('/targets/{target}', { params: { path: { target } }, body })),
  );

export const useDeleteTarget = () =>
  useChange(async ({ id, revision }: { id: string; revision: number }) =>
    unwrap(await api.DELETE('/targets/{target}', { params: { path: { target: id }, query: { revision } } })),
  );

export const useCreateAccount = (target: string) =>
  useChange(async (body: { settings: AccountSettings; credential: NewCredential }) =>
    unwrap(await api.POST('/targets/{target}/accounts', { params: { path: { target } }, body })),
  );

export const useUpdateAccount = (target: string, account: string) =>
  useChange(async (body: { revision: number; settings: AccountSettings }) =>
    unwrap(
      await api.PUT('/targets/{target}/accounts/{account}', { params: { path: { target, account } }, body }),
    ),
  );

export const useDeleteAccount = (target: string) =>
  useChange(async ({ id, revision }: { id: string; revision: number }) =>
    unwrap(
      await api.DELETE('/targets/{target}/accounts/{account}', {
        params: { path: { target, account: id }, query: { revision } },
      }),
    ),
  );

export const useSetCredential = (target: string, account: string) =>
  useChange(async (body: { revision: number; credential: NewCredential }) =>
    unwrap(
      await api.PUT('/targets/{target}/accounts/{account}/credential', {
        params: { path: { target, account } },
        body,
      }),
    ),
  );

/** What an import would do; nothing is done. */
export const usePlanImport = () =>
  useMutation({
    mutationFn: async (body: { yaml: string; prune: boolean }) =>
      unwrap(await api.POST('/import-targets', { body: { ...body, dry_run: true } })),
  });

export const useImport = () =>
  useChange(async (body: { yaml: string; prune: boolean; digest: string }) =>
    unwrap(await api.POST('/import-targets', { body })),
  );
