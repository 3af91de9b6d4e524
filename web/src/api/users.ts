import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys } from './queries';
import type { components } from './schema';

type Schemas = components['schemas'];
export type User = Schemas['User'];
export type Group = Schemas['Group'];
export type Role = Schemas['Role'];
export type BrowserSignIn = Schemas['BrowserSignIn'];
export type Token = Schemas['Token'];

const userKeys = { users: ['users'], groups: ['groups'], setup: ['setup'], mine: ['account'] } as const;

/** Users asked for at a time. */
const page = 100;

/** Whether the gateway has no user yet. */
export const setupQuery = queryOptions({
  queryKey: userKeys.setup,
  queryFn: async ({ signal }) => unwrap(await api.GET('/setup', { signal })),
  staleTime: Infinity,
  retry: false,
});

export const usersQuery = (filter: { q: string; role: Role | ''; group?: string }) =>
  infiniteQueryOptions({
    queryKey: [...userKeys.users, 'list', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/users', {
          params: {
            query: {
              limit: page,
              ...(filter.q ? { q: filter.q } : {}),
              ...(filter.role ? { role: filter.role } : {}),
              ...(filter.group ? { group: filter.group } : {}),
              ...(pageParam ? { after: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
  });

export const userQuery = (user: string) =>
  queryOptions({
    queryKey: [...userKeys.users, 'one', user],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/users/{user}', { params: { path: { user } }, signal })),
  });

export const groupsQuery = (q: string) =>
  infiniteQueryOptions({
    queryKey: [...userKeys.groups, 'list', q],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/groups', {
          params: {
            query: { limit: page, ...(q ? { q } : {}), ...(pageParam ? { after: pageParam } : {}) },
          },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
  });

export const groupQuery = (group: string) =>
  queryOptions({
    queryKey: [...userKeys.groups, 'one', group],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/groups/{group}', { params: { path: { group } }, signal })),
  });

/** Sign-ins of a user, or one's own without. */
export const signInsQuery = (user?: string) =>
  queryOptions({
    queryKey: user ? [...userKeys.users, 'sign-ins', user] : [...userKeys.mine, 'sign-ins'],
    queryFn: async ({ signal }) =>
      (user
        ? unwrap(await api.GET('/users/{user}/sign-ins', { params: { path: { user } }, signal }))
        : unwrap(await api.GET('/me/sign-ins', { signal }))
      ).sign_ins,
  });

/** API tokens of a user, or one's own without. */
export const tokensQuery = (user?: string) =>
  queryOptions({
    queryKey: user ? [...userKeys.users, 'tokens', user] : [...userKeys.mine, 'tokens'],
    queryFn: async ({ signal }) =>
      (user
        ? unwrap(await api.GET('/users/{user}/tokens', { params: { path: { user } }, signal }))
        : unwrap(await api.GET('/me/tokens', { signal }))
      ).tokens,
  });

/** A change after which what is shown of users, groups and oneself is asked for again. */
function useChange<In, Out>(change: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () =>
      Promise.all(
        [userKeys.users, userKeys.groups, userKeys.mine].map((queryKey) =>
          client.invalidateQueries({ queryKey }),
        ),
      ),
  });
}

export const useCreateUser = () =>
  useChange(async (body: Schemas['CreateUser']) => unwrap(await api.POST('/users', { body })));

export const useUpdateUser = (user: string) =>
  useChange(async (body: Schemas['UpdateUser']) =>
    unwrap(await api.PATCH('/users/{user}', { params: { path: { user } }, body })),
  );

export const useDeleteUser = (user: string) =>
  useChange(async () => unwrap(await api.DELETE('/users/{user}', { params: { path: { user } } })));

export const useResetPassword = (user: string) =>
  useChange(async () =>
    unwrap(await api.POST('/users/{user}/reset-password', { params: { path: { user } } })),
  );

export const useUnlock = (user: string) =>
  useChange(async () => unwrap(await api.POST('/users/{user}/unlock', { params: { path: { user } } })));

export const useResetFactors = (user: string) =>
  useChange(async () => unwrap(await api.DELETE('/users/{user}/factors', { params: { path: { user } } })));

export const useSaveGroup = (group?: string) =>
  useChange(async (body: Schemas['CreateGroup']) =>
    group
      ? unwrap(await api.PATCH('/groups/{group}', { params: { path: { group } }, body }))
      : unwrap(await api.POST('/groups', { body })),
  );

export const useDeleteGroup = (group: string) =>
  useChange(async () => unwrap(await api.DELETE('/groups/{group}', { params: { path: { group } } })));

export const useMember = (group: string) =>
  useChange(async ({ user, member }: { user: string; member: boolean }) => {
    const params = { path: { group, user } };
    unwrap(
      member
        ? await api.PUT('/groups/{group}/members/{user}', { params })
        : await api.DELETE('/groups/{group}/members/{user}', { params }),
    );
  });

/** Ends one sign-in, or all others when none is named: one's own, or those of a user. */
export const useRevokeSignIn = (user?: string) =>
  useChange(async (sign_in: string | undefined) => {
    if (user && sign_in) {
      const params = { path: { user, sign_in } };
      unwrap(await api.DELETE('/users/{user}/sign-ins/{sign_in}', { params }));
    } else if (user) {
      unwrap(await api.DELETE('/users/{user}/sign-ins', { params: { path: { user } } }));
    } else if (sign_in) {
      unwrap(await api.DELETE('/me/sign-ins/{sign_in}', { params: { path: { sign_in } } }));
    } else {
      unwrap(await api.DELETE('/me/sign-ins'));
    }
  });

export const useRevokeToken = (user?: string) =>
  useChange(async (token: string) => {
    unwrap(
      user
        ? await api.DELETE('/users/{user}/tokens/{token}', { params: { path: { user, token } } })
        : await api.DELETE('/me/tokens/{token}', { params: { path: { token } } }),
    );
  });

export const useCreateToken = () =>
  useChange(async (body: Schemas['CreateToken']) => unwrap(await api.POST('/me/tokens', { body })));

export function useUpdateProfile() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: Schemas['Profile']) => unwrap(await api.PATCH('/me/profile', { body })),
    onSuccess: (me) => client.setQueryData(keys.me, me),
  });
}

export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: Schemas['ChangePassword']) => unwrap(await api.POST('/me/password', { body })),
    onSuccess: () =>
      Promise.all([keys.me, userKeys.mine].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}

export function useSetUp() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: Schemas['SetUp']) => unwrap(await api.POST('/setup', { body })),
    onSuccess: (me) => {
      client.clear();
      client.setQueryData(keys.me, me);
    },
  });
}
