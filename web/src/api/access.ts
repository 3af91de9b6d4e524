import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type AccessRequest = Schemas['AccessRequest'];
export type AccessGrant = Schemas['AccessGrant'];
export type AccessRules = Schemas['AccessRules'];
export type AccessWindow = Schemas['AccessWindow'];
export type CreateAccessRequest = Schemas['CreateAccessRequest'];

/** Asked for again now and then; the stream of notifications brings what is news at once. */
const pollMs = 15_000;

export const accessKeys = {
  all: ['access'],
  requests: ['access', 'requests'],
  grants: ['access', 'grants'],
} as const;

export const accessRulesQuery = (target: string, account = '') =>
  queryOptions({
    queryKey: [...accessKeys.all, 'rules', target, account],
    queryFn: async ({ signal }) =>
      unwrap(
        await api.GET('/access-rules', {
          params: { query: { target_id: target, ...(account ? { account } : {}) } },
          signal,
        }),
      ),
    staleTime: 30_000,
  });

type View = 'own' | 'inbox';
type State = 'open' | 'closed' | 'all';

export const accessRequestsQuery = (view: View, state: State) =>
  infiniteQueryOptions({
    queryKey: [...accessKeys.requests, view, state],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/access-requests', {
          params: { query: { view, state, limit: 50, ...(pageParam ? { before: pageParam } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
    refetchInterval: pollMs,
  });

export const accessRequestQuery = (id: string) =>
  queryOptions({
    queryKey: [...accessKeys.requests, 'one', id],
    queryFn: async ({ signal }) =>
      unwrap(
        await api.GET('/access-requests/{access_request}', {
          params: { path: { access_request: id } },
          signal,
        }),
      ),
    refetchInterval: pollMs,
  });

export const accessGrantsQuery = (view: 'own' | 'others') =>
  queryOptions({
    queryKey: [...accessKeys.grants, view],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/access-grants', { params: { query: { view, limit: 200 } }, signal })).grants,
    refetchInterval: pollMs,
  });

/** Everything about access may be different after one of these. */
function useAccessMutation<In, Out>(act: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSettled: () => client.invalidateQueries({ queryKey: accessKeys.all }),
  });
}

export const useAskForAccess = () =>
  useAccessMutation(async (body: CreateAccessRequest) =>
    unwrap(await api.POST('/access-requests', { body })),
  );

export const useBreakGlass = () =>
  useAccessMutation(async (body: Schemas['BreakGlass']) =>
    unwrap(await api.POST('/access-requests/break-glass', { body })),
  );

const at = (id: string) => ({ path: { access_request: id } });

export const useApprove = () =>
  useAccessMutation(async ({ id, ...body }: { id: string } & Schemas['ApproveAccess']) =>
    unwrap(await api.POST('/access-requests/{access_request}/approve', { params: at(id), body })),
  );

export const useDeny = () =>
  useAccessMutation(async ({ id, ...body }: { id: string } & Schemas['DecideAccess']) =>
    unwrap(await api.POST('/access-requests/{access_request}/deny', { params: at(id), body })),
  );

export const useReview = () =>
  useAccessMutation(async ({ id, ...body }: { id: string } & Schemas['DecideAccess']) =>
    unwrap(await api.POST('/access-requests/{access_request}/review', { params: at(id), body })),
  );

export const useCancelRequest = () =>
  useAccessMutation(async ({ id, revision }: { id: string; revision: number }) =>
    unwrap(
      await api.POST('/access-requests/{access_request}/cancel', { params: at(id), body: { revision } }),
    ),
  );

export const useEndGrant = () =>
  useAccessMutation(async ({ id, note }: { id: string; note?: string }) =>
    unwrap(
      await api.POST('/access-grants/{access_grant}/end', {
        params: { path: { access_grant: id } },
        body: note ? { note } : {},
      }),
    ),
  );
