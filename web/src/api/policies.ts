import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Policy = Schemas['Policy'];
export type PolicyFinding = Schemas['PolicyFinding'];
export type PolicySchema = Schemas['PolicySchema'];
export type PolicyQuestion = Schemas['PolicyQuestion'];
export type PolicyExplanation = Schemas['PolicyExplanation'];

export const policyKeys = { all: ['policies'] } as const;

export const policiesQuery = queryOptions({
  queryKey: [...policyKeys.all, 'list'],
  queryFn: async ({ signal }) => unwrap(await api.GET('/policies', { signal })).policies,
});

export const policyQuery = (id: string) =>
  queryOptions({
    queryKey: [...policyKeys.all, 'one', id],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/policies/{policy}', { params: { path: { policy: id } }, signal })),
    refetchOnWindowFocus: false, // somebody is writing
  });

export const policyVersionsQuery = (id: string) =>
  queryOptions({
    queryKey: [...policyKeys.all, 'versions', id],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/policies/{policy}/versions', { params: { path: { policy: id } }, signal }))
        .versions,
  });

export const policySchemaQuery = queryOptions({
  queryKey: [...policyKeys.all, 'schema'],
  queryFn: async ({ signal }) => unwrap(await api.GET('/policy-schema', { signal })),
  staleTime: Infinity,
});

/** What is wrong with a text. */
export const policyCheckQuery = (text: string) =>
  queryOptions({
    queryKey: [...policyKeys.all, 'check', text],
    queryFn: async ({ signal }) =>
      unwrap(await api.POST('/policy-check', { body: { text }, signal })).findings,
    staleTime: Infinity,
    gcTime: 60_000,
  });

/** Who may do what may be different after one of these, oneself included. */
function usePolicyMutation<In, Out>(act: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () => client.invalidateQueries(),
  });
}

export const useCreatePolicy = () =>
  usePolicyMutation(async (body: Schemas['NewPolicy']) => unwrap(await api.POST('/policies', { body })));

export const useUpdatePolicy = () =>
  usePolicyMutation(async ({ id, ...body }: { id: string } & Schemas['PolicyChange']) =>
    unwrap(await api.PUT('/policies/{policy}', { params: { path: { policy: id } }, body })),
  );

export const useDeletePolicy = () =>
  usePolicyMutation(async ({ id, revision }: { id: string; revision: number }) => {
    const answer = await api.DELETE('/policies/{policy}', {
      params: { path: { policy: id }, query: { revision } },
    });
    if (answer.error) unwrap(answer);
  });

export const useExplain = () =>
  useMutation({
    mutationFn: async (body: PolicyQuestion) => unwrap(await api.POST('/policy-explain', { body })),
  });
