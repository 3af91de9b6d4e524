import { PasswordInput, Select, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { providersQuery, type NewCredential } from '../../../api/targets';

type Kind = NewCredential['kind'];

const kinds: { value: Kind; label: string }[] = [
  { value: 'stored', label: 'Sealed in Vitrine' },
  { value: 'vault', label: 'In a HashiCorp Vault' },
  { value: 'command', label: 'Told by a command' },
  { value: 'none', label: 'None' },
];

interface CredentialFieldsProps {
  credential: NewCredential;
  onChange: (credential: NewCredential) => void;
}

/** Where the password of an account is. Vaults and commands are offered where the configuration has some. */
export function CredentialFields({ credential, onChange }: CredentialFieldsProps) {
  const { data: providers } = useQuery(providersQuery);
  const vaults = providers?.vaults ?? [];
  const commands = providers?.commands ?? [];
  const offered = kinds.filter(
    ({ value }) =>
      (value !== 'vault' || vaults.length > 0 || credential.kind === 'vault') &&
      (value !== 'command' || commands.length > 0 || credential.kind === 'command'),
  );
  const vault = credential.vault ?? { vault: vaults[0] ?? '', path: '' };
  const command = credential.command ?? { command: commands[0] ?? '' };

  function choose(kind: Kind) {
    if (kind === 'vault') onChange({ kind, vault });
    else if (kind === 'command') onChange({ kind, command });
    else onChange({ kind });
  }
  const field = (key: 'username_field' | 'password_field', value: string) => {
    onChange({ kind: 'vault', vault: { ...vault, [key]: value } });
  };

  return (
    <>
      <Select
        label="Its password is"
        allowDeselect={false}
        data={offered}
        value={credential.kind}
        onChange={(kind) => kind && choose(kind)}
      />
      {credential.kind === 'stored' && (
        <PasswordInput
          label="Password"
          description="It is sealed, used for sessions, and never shown again."
          required
          maxLength={4096}
          autoComplete="new-password"
          value={credential.password ?? ''}
          onChange={(event) => onChange({ kind: 'stored', password: event.currentTarget.value })}
        />
      )}
      {credential.kind === 'vault' && (
        <>
          <Select
            label="Vault"
            allowDeselect={false}
            data={vaults}
            value={vault.vault}
            onChange={(name) => name && onChange({ kind: 'vault', vault: { ...vault, vault: name } })}
          />
          <TextInput
            label="Path"
            placeholder="servers/build"
            required
            maxLength={1024}
            classNames={{ input: 'mono' }}
            value={vault.path}
            onChange={(event) =>
              onChange({ kind: 'vault', vault: { ...vault, path: event.currentTarget.value } })
            }
          />
          <TextInput
            label="Field of the password"
            placeholder="password"
            maxLength={128}
            value={vault.password_field ?? ''}
            onChange={(event) => field('password_field', event.currentTarget.value)}
          />
          <TextInput
            label="Field of the user name"
            description="Used when the account names none"
            placeholder="username"
            maxLength={128}
            value={vault.username_field ?? ''}
            onChange={(event) => field('username_field', event.currentTarget.value)}
          />
        </>
      )}
      {credential.kind === 'command' && (
        <>
          <Select
            label="Command"
            allowDeselect={false}
            data={commands}
            value={command.command}
            onChange={(name) => name && onChange({ kind: 'command', command: { ...command, command: name } })}
          />
          <TextInput
            label="Reference"
            description="What the command is asked for"
            maxLength={1024}
            classNames={{ input: 'mono' }}
            value={command.reference ?? ''}
            onChange={(event) =>
              onChange({ kind: 'command', command: { ...command, reference: event.currentTarget.value } })
            }
          />
        </>
      )}
    </>
  );
}
