import { Checkbox, MultiSelect, Stack } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { groupsQuery, type Role } from '../../api/users';
import { roles } from '../../lib/roles';

interface RolesFieldProps {
  value: Role[];
  onChange: (value: Role[]) => void;
  /** Roles that an identity provider gives; they are shown and stay. */
  fixed?: Role[];
}

export function RolesField({ value, onChange, fixed = [] }: RolesFieldProps) {
  return (
    <Checkbox.Group
      label="Roles"
      value={[...new Set<Role>([...value, ...fixed])]}
      onChange={(now) => onChange(now.filter((r) => !fixed.includes(r) || value.includes(r)))}
    >
      <Stack gap={10} mt={8}>
        {roles.map((r) => (
          <Checkbox
            key={r.value}
            value={r.value}
            label={r.label}
            description={fixed.includes(r.value) ? `${r.what} · from the identity provider` : r.what}
            disabled={fixed.includes(r.value)}
          />
        ))}
      </Stack>
    </Checkbox.Group>
  );
}

interface GroupsFieldProps {
  value: string[];
  onChange: (value: string[]) => void;
}

/** Chooses groups by their ids. */
export function GroupsField({ value, onChange }: GroupsFieldProps) {
  const query = useInfiniteQuery(groupsQuery(''));
  const all = query.data?.pages.flatMap((p) => p.groups) ?? [];
  if (query.data && all.length === 0) return null;
  return (
    <MultiSelect
      label="Groups"
      data={all.map((g) => ({ value: g.id, label: g.name }))}
      value={value}
      onChange={onChange}
      searchable
      clearable
      nothingFoundMessage="No such group"
      placeholder={value.length === 0 ? 'None' : ''}
      comboboxProps={{ withinPortal: true }}
      onDropdownOpen={() => {
        if (query.hasNextPage) void query.fetchNextPage();
      }}
    />
  );
}
