import { Button, Group, Skeleton, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { useNavigate, useParams } from 'react-router';
import { useMe } from '../../api/me';
import {
  useDeleteUser,
  useResetFactors,
  useResetPassword,
  useUnlock,
  useUpdateUser,
  userQuery,
  type Role,
  type User,
} from '../../api/users';
import { Confirm } from '../../components/confirm';
import { PageHead } from '../../components/page';
import { Facts, Panel } from '../../components/panel';
import classes from '../../components/panel.module.css';
import { SecretOnce } from '../../components/secret-once';
import { ProblemNotice } from '../../components/states';
import { fullTime } from '../../lib/format';
import { sourceLabel } from '../../lib/roles';
import { useTitle } from '../../lib/use-title';
import { SignInsPanel } from '../account/sign-ins';
import { TokensPanel } from '../account/tokens';
import { GroupsField, RolesField } from './fields';
import { UserBadge } from './user-badge';

/** One user, for those who administer them. */
export function UserPage() {
  const { user: id = '' } = useParams();
  const query = useQuery(userQuery(id));
  useTitle(query.data?.username ?? 'User');
  if (query.error) return <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton height={420} radius="md" aria-hidden="true" />;
  const user = query.data;
  return (
    <>
      <PageHead title={user.username} sub={user.display_name || undefined}>
        <UserBadge user={user} />
      </PageHead>
      <DetailsPanel key={user.id} user={user} />
      <AccessPanel user={user} />
      <SignInsPanel user={user.id} />
      <TokensPanel user={user.id} />
    </>
  );
}

/** What the user is called, is and belongs to. */
function DetailsPanel({ user }: { user: User }) {
  const save = useUpdateUser(user.id);
  const local = user.source === 'local';
  const [displayName, setDisplayName] = useState(user.display_name);
  const [email, setEmail] = useState(user.email);
  const [roles, setRoles] = useState<Role[]>(user.given_roles);
  const given = user.groups.filter((g) => g.given).map((g) => g.id);
  const [groups, setGroups] = useState(given);
  const same = (a: string[], b: string[]) => [...a].sort().join() === [...b].sort().join();
  const changed =
    displayName !== user.display_name ||
    email !== user.email ||
    !same(roles, user.given_roles) ||
    !same(groups, given);
  const elsewhere = user.groups.filter((g) => !g.given).map((g) => g.name);

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    save.mutate({ ...(local ? { display_name: displayName, email } : {}), roles, groups });
  }

  return (
    <Panel title="Details" sub={local ? undefined : `Signs in at ${sourceLabel(user.source)}.`}>
      <form className={classes.form} onSubmit={submit}>
        <TextInput
          label="Display name"
          maxLength={128}
          disabled={!local}
          value={displayName}
          onChange={(event) => setDisplayName(event.currentTarget.value)}
        />
        <TextInput
          label="E-mail address"
          type="email"
          maxLength={254}
          disabled={!local}
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <RolesField
          value={roles}
          onChange={setRoles}
          fixed={user.roles.filter((r) => !user.given_roles.includes(r))}
        />
        <GroupsField value={groups} onChange={setGroups} />
        {elsewhere.length > 0 && (
          <div className={classes.sub}>From the identity provider also: {elsewhere.join(', ')}</div>
        )}
        {save.error && <ProblemNotice error={save.error} />}
        <Group gap="md">
          <Button type="submit" disabled={!changed} loading={save.isPending}>
            Save
          </Button>
          <span className={classes.saved} role="status">
            {save.isSuccess && !changed ? 'Saved' : ''}
          </span>
        </Group>
      </form>
    </Panel>
  );
}

type Asking = 'disable' | 'delete' | 'reset' | 'factors' | null;

/** Whether and how the user signs in. */
function AccessPanel({ user }: { user: User }) {
  const me = useMe();
  const navigate = useNavigate();
  const update = useUpdateUser(user.id);
  const remove = useDeleteUser(user.id);
  const reset = useResetPassword(user.id);
  const factors = useResetFactors(user.id);
  const unlock = useUnlock(user.id);
  const [asking, setAsking] = useState<Asking>(null);
  const self = user.id === me.id;
  const close = () => {
    setAsking(null);
    update.reset();
    remove.reset();
    factors.reset();
  };

  return (
    <Panel title="Access">
      <Facts
        facts={[
          [
            'Signs in',
            user.source === 'local' ? 'With a password kept here' : `At ${sourceLabel(user.source)}`,
          ],
          ['Last sign-in', user.last_sign_in_at ? fullTime(user.last_sign_in_at) : 'Never'],
          ['Made', fullTime(user.created_at)],
          ...(user.locked_until
            ? ([['Locked until', fullTime(user.locked_until)]] as [string, string][])
            : []),
        ]}
      />
      {unlock.error && <ProblemNotice error={unlock.error} />}
      {!asking && update.error && <ProblemNotice error={update.error} />}
      <Group gap="sm" mt="lg">
        {user.locked_until && (
          <Button variant="default" loading={unlock.isPending} onClick={() => unlock.mutate()}>
            Unlock
          </Button>
        )}
        {user.source === 'local' && !self && (
          <Button variant="default" onClick={() => setAsking('reset')}>
            Reset password
          </Button>
        )}
        {!self && (
          <Button variant="default" onClick={() => setAsking('factors')}>
            Reset second factors
          </Button>
        )}
        {!self &&
          (user.disabled ? (
            <Button
              variant="default"
              loading={update.isPending}
              onClick={() => update.mutate({ disabled: false })}
            >
              Enable
            </Button>
          ) : (
            <Button variant="default" onClick={() => setAsking('disable')}>
              Disable
            </Button>
          ))}
        {!self && (
          <Button variant="subtle" color="brick" onClick={() => setAsking('delete')}>
            Delete
          </Button>
        )}
        {self && (
          <span className={classes.sub}>This is you. Your password is changed on your account’s page.</span>
        )}
      </Group>

      <Confirm
        opened={asking === 'disable'}
        title={`Disable ${user.username}?`}
        action="Disable"
        busy={update.isPending}
        error={update.error}
        onConfirm={() => update.mutate({ disabled: true }, { onSuccess: close })}
        onClose={close}
      >
        They cannot sign in any more. Their sign-ins and API tokens end at once; the tokens do not come back.
      </Confirm>
      <Confirm
        opened={asking === 'reset'}
        title={`Reset the password of ${user.username}?`}
        action="Reset"
        busy={reset.isPending}
        error={reset.error}
        onConfirm={() => reset.mutate(undefined, { onSuccess: () => setAsking(null) })}
        onClose={() => {
          setAsking(null);
          reset.reset();
        }}
      >
        A new password is generated. Their sign-ins and API tokens end at once.
      </Confirm>
      <Confirm
        opened={asking === 'factors'}
        title={`Reset the second factors of ${user.username}?`}
        action="Reset"
        busy={factors.isPending}
        error={factors.error}
        onConfirm={() => factors.mutate(undefined, { onSuccess: close })}
        onClose={close}
      >
        For somebody who has lost them: be sure that it is they who ask. Authenticator app, passkeys and
        recovery codes are removed, and their sign-ins end at once.
      </Confirm>
      <Confirm
        opened={asking === 'delete'}
        title={`Delete ${user.username}?`}
        action="Delete"
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(undefined, { onSuccess: () => void navigate('/users') })}
        onClose={close}
      >
        Their sessions, recordings and entries in the audit log stay. To keep the name from being used by
        somebody else, disable them instead.
      </Confirm>
      {reset.data && (
        <SecretOnce
          title="The password is reset"
          label="Password"
          secret={reset.data.password}
          onClose={() => reset.reset()}
        >
          This is the password of {user.username} to begin with; it is not shown again. At the next sign-in
          they choose their own.
        </SecretOnce>
      )}
    </Panel>
  );
}
