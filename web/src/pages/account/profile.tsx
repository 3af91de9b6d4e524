import { Button, Group, TextInput } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import { useMe } from '../../api/me';
import { useUpdateProfile } from '../../api/users';
import { Facts, Panel } from '../../components/panel';
import classes from '../../components/panel.module.css';
import { ProblemNotice } from '../../components/states';
import { roleLabel, sourceLabel } from '../../lib/roles';

export function ProfilePanel() {
  const me = useMe();
  const save = useUpdateProfile();
  const [displayName, setDisplayName] = useState(me.display_name ?? '');
  const [email, setEmail] = useState(me.email ?? '');
  const local = !me.source || me.source === 'local';
  const changed = displayName !== (me.display_name ?? '') || email !== (me.email ?? '');

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    save.mutate({ display_name: displayName, email });
  }

  return (
    <Panel
      title="Profile"
      sub={local ? undefined : `From ${sourceLabel(me.source ?? '')}, and changed there.`}
    >
      <Facts
        facts={[
          ['User name', me.username],
          ['Roles', listed(me.roles?.map(roleLabel))],
          ['Groups', listed(me.groups)],
          ...(local
            ? []
            : ([
                ['Display name', me.display_name ?? '—'],
                ['E-mail', me.email ?? '—'],
              ] as [string, string][])),
        ]}
      />
      {local && (
        <form className={classes.form} style={{ marginTop: 18 }} onSubmit={submit}>
          <TextInput
            label="Display name"
            autoComplete="name"
            maxLength={128}
            value={displayName}
            onChange={(event) => setDisplayName(event.currentTarget.value)}
          />
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="email"
            maxLength={254}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          {save.error && <ProblemNotice error={save.error} />}
          <Group gap="md">
            <Button type="submit" variant="default" disabled={!changed} loading={save.isPending}>
              Save
            </Button>
            <span className={classes.saved} role="status">
              {save.isSuccess && !changed ? 'Saved' : ''}
            </span>
          </Group>
        </form>
      )}
    </Panel>
  );
}

const listed = (names: string[] | undefined): string => (names?.length ? names.join(', ') : 'None');
